# Each target sets up .venv by itself; the second time that is a no-op.
PYTHON ?=
export PYTHON

.PHONY: demo test lint format docs clean

demo: ## the accuracy that a wrong rescale costs, found and repaired
	@scripts/setup demo
	@.venv/bin/python examples/demo.py

test: ## lint, types, and the tests on TensorFlow, JAX and PyTorch
	@scripts/setup test
	@scripts/test

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
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet
	@echo "Open site/index.html; for the search: .venv/bin/mkdocs serve"

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache build dist site logs
