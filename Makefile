# Each target sets up .venv by itself; the second time that is a no-op.
PYTHON ?=
export PYTHON

.PHONY: demo test test-all test-keras test-wheel coverage lint format docs release clean

demo: ## the accuracy that a wrong rescale costs, found and repaired; ARGS="--seeds 3" for a spread
	@scripts/setup demo
	@.venv/bin/python examples/demo.py $(ARGS)

test: ## before each push: lint, types, and the tests on all backends; ARGS="tests/detection -k ranks" selects
	@scripts/setup test
	@scripts/test $(ARGS)

test-all: ## each test on each backend, the trackers, the site, the wheel on Python 3.11 and 3.13
	@scripts/setup all
	@scripts/test --all $(ARGS)

BACKEND ?= tensorflow jax torch
test-keras: ## Keras's own tests, without a guard and with one in every fit; BACKEND=jax for one backend
	@scripts/setup test
	@.venv/bin/python tools/keras_tests.py $(BACKEND:%=--backend %) $(ARGS)

test-wheel: ## the installed wheel on Python 3.11 and 3.13, lowest and newest versions, every test
	@scripts/setup test
	@for python in 3.11 3.13; do for resolution in lowest-direct highest; do \
		scripts/test-wheel $$python $$resolution tensorflow -q tests || exit 1; done; done

coverage: ## lines and branches that the tests pass through, on the three backends together
	@scripts/setup test
	@rm -f .coverage .coverage.*
	@scripts/test --all --cov --cov-append --cov-report=; status=$$?; \
		.venv/bin/coverage report && exit $$status

lint: ## ruff and mypy only
	@scripts/setup test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

format: ## let ruff lay out the code
	@scripts/setup test
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

docs: ## the pages of docs/ as a site
	@scripts/setup test
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict
	@echo "Open site/index.html"

release: ## wheel and sdist in dist/, the same to the byte wherever they are built
	@scripts/setup test
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) .venv/bin/python -m build --outdir dist
	@sha256sum dist/*

clean:
	rm -rf .venv .venv-wheel .pytest_cache .ruff_cache .mypy_cache build dist site logs
