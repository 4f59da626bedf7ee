r"""Mutation test: tries small changes of a module and prints those that its tests miss.

    .venv/bin/pip install --target DIR cosmic-ray
    PYTHONPATH=DIR .venv/bin/python tools/mutants.py --sample 60 \
        keras_shiftguard/detection/two_sample/ranks.py tests/detection/two_sample/test_ranks.py

Cosmic Ray makes the mutants. A random sample of them is tried, drawn with `--seed`. Each mutant
runs in a process that is forked from one that has already imported Keras and pytest. The mutant
replaces the module when it is imported, so no file is changed. Surviving mutants are printed
with the line that was changed.
"""

import argparse
import contextlib
import difflib
import importlib.machinery
import os
import random
import signal
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # imported once for all forked processes
import pytest

assert keras.__version__
ROOT = Path(__file__).resolve().parents[1]
# Mutants of type hints and decorators are left out: most have no effect on the results.
LEFT_OUT = ("ReplaceBinaryOperator_BitOr", "RemoveDecorator")


def mutants(path):
    """Yields (operator's name, operator, occurrence) of each mutant of the file."""
    import cosmic_ray.plugins  # it has many dependencies, so it is no extra of this package
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    tree = get_ast_from_path(path)
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if any(part in name for part in LEFT_OUT) or kind.arguments():
            continue
        operator = kind()
        count = sum(len(list(operator.mutation_positions(node))) for node in ast_nodes(tree))
        for occurrence in range(count):
            yield name, operator, occurrence


def status_of(path, code, tests, seconds):
    """Returns pytest's exit status with `code` in place of the file; 0 if the tests still pass."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(seconds)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader, name):
        if Path(loader.path).resolve() == path:
            return compile(code, loader.path, "exec")
        return original(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code
    status = 1
    with contextlib.suppress(BaseException):
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
    os._exit(int(status))


def main():
    """Tries a sample of the mutants of one module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=120, help="after which it counts as noticed")
    arguments = parser.parse_args()
    from cosmic_ray.mutating import mutate_code

    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "examples")]
    path = Path(arguments.module).resolve()
    code = path.read_text()
    if status_of(path, code, arguments.tests, arguments.seconds):
        sys.exit("The tests fail without any change.")
    every = list(mutants(path))
    chosen = random.Random(arguments.seed).sample(every, min(arguments.sample, len(every)))
    survivors = 0
    for name, operator, occurrence in chosen:
        mutant = mutate_code(code, operator, occurrence)
        if mutant is None or status_of(path, mutant, arguments.tests, arguments.seconds):
            continue
        survivors += 1
        lines = difflib.unified_diff(code.splitlines(), mutant.splitlines(), n=0, lineterm="")
        changed = [line for line in lines if not line.startswith(("---", "+++"))]
        print("\n".join([f"survived: {name.split('/')[-1]}", *changed]), flush=True)
    total = len(chosen)
    print(f"{arguments.module}: {total - survivors} of {total} noticed, of {len(every)} mutants")


if __name__ == "__main__":
    main()
