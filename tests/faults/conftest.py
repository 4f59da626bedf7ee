"""Fixtures of the tests with injected faults."""

import signal

import pytest
from faults.fits import new_model, numbers, run


@pytest.fixture(autouse=True)
def handle_ctrl_c():
    """Makes Ctrl-C raise `KeyboardInterrupt`, even if a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def unwatched():
    model = new_model()
    run(model, [])
    return numbers(model)
