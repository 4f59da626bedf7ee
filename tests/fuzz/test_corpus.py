"""The corpus of the fuzzers, and a minute of further inputs, on every reader of untrusted files.

`tests/fuzz/run.py` runs without a time limit, guided by coverage.
"""

import resource
import time
from pathlib import Path

import pytest
from fuzz.readers import reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.thorough

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())
CPU_SECONDS = 10  # for one input
MAX_EXTRA_BYTES = 2**30  # beyond what the process took before
# Numbers of inputs that together take a minute.
INPUTS = {"profile": 3000, "array": 3000, "events": 4000, "images": 1500, "model": 150}
CHECKED = {"profile": 0.5, "array": 0.05, "events": 0.5, "images": 0.3, "model": 0.05}


def ready(name, folder):
    """Returns the reader with a time limit, after three inputs that make it import its modules."""
    read = reader(name, folder)
    for first in range(3):
        read(bytes([first, 0, 0]))

    def timed(data):
        start = time.process_time()
        had_data = read(data)
        assert time.process_time() - start < CPU_SECONDS
        return had_data

    return timed


@pytest.fixture
def read(request, tmp_path):
    return ready(request.param, tmp_path)


def memory():
    """Returns the peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    "read, path", [(p.parent.name, p) for p in FILES], indirect=["read"], ids=lambda p: str(p)[-30:]
)
def test_the_corpus(read, path):
    before = memory()
    read(path.read_bytes())
    assert memory() - before < MAX_EXTRA_BYTES


@pytest.mark.thorough
@pytest.mark.parametrize("name", INPUTS)
def test_more_inputs(name, tmp_path):
    read, before, seen = ready(name, tmp_path), memory(), [0, 0]

    # The same examples in every run, so that a failure can be reproduced.
    @settings(
        max_examples=INPUTS[name],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=2, max_size=300))
    def run(data):
        seen[0] += 1
        seen[1] += bool(read(data))

    run()
    print(f"{name}: {seen[0]} inputs, {seen[1]} past the header check")
    assert seen[1] > CHECKED[name] * seen[0]
    assert memory() - before < MAX_EXTRA_BYTES
