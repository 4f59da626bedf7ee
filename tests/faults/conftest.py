"""Fixtures of all injected faults."""

import signal

import pytest
from faults.fits import new_model, numbers, run


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell that starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def unwatched():
    model = new_model()
    run(model, [])
    return numbers(model)
