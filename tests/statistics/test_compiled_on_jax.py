"""On JAX, the statistics are compiled with options that halve the time, if JAX accepts them."""

import keras
import pytest

from keras_shiftguard.statistics import compiled
from keras_shiftguard.statistics.state import State

pytestmark = [
    pytest.mark.backend,
    pytest.mark.each_backend,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="the options are JAX's"),
]


def summed(key):
    """Returns the sum of three ones, added by a compiled update."""
    state = State("test")
    total = state.add("total", ())

    def add(x):
        total.assign(total + keras.ops.sum(x))

    compiled.compiled_once(add, state, key, keras.ops.ones(3))
    return float(total.value)


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    """Makes each test check again which options JAX accepts, without the flags of the test run."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    compiled._jax_options.cache_clear()
    yield
    compiled._jax_options.cache_clear()


def test_this_jax_knows_the_options():
    assert compiled._jax_options() == {"compiler_options": compiled.JAX_OPTIONS}
    assert summed("with options") == 3.0


def test_without_the_options_it_compiles_as_usual(monkeypatch):
    monkeypatch.setattr(compiled, "JAX_OPTIONS", {"xla_no_such_option": True})
    assert compiled._jax_options() == {}
    assert summed("without options") == 3.0


def test_the_flags_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=3")
    assert compiled._jax_options() == {}
