"""On JAX, statistics are compiled once, with options that halve the time if JAX accepts them."""

import re
from collections import OrderedDict

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg
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


def test_without_the_options_it_compiles_as_usual(monkeypatch):
    monkeypatch.setattr(compiled, "JAX_OPTIONS", {"xla_no_such_option": True})
    assert compiled._jax_options() == {}
    assert summed("without options") == 3.0


@pytest.fixture
def compilations(caplog, monkeypatch):
    """A function that calls a function, and returns the names of what JAX compiles meanwhile.

    Statistics that earlier tests compiled are forgotten, so that the counts do not depend on them.
    """
    import jax

    monkeypatch.setattr(compiled, "_updates", OrderedDict())

    def names(function):
        caplog.clear()
        with jax.log_compiles():
            function()
        found = [re.match(r"Compiling (?:jit\()?(\w+)", r.getMessage()) for r in caplog.records]
        return [match[1] for match in found if match]

    return names


def fit(x, *guards):
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    y = np.arange(2.0 * len(x)).reshape(-1, 2)
    model.fit(x, y, 8, validation_data=(x, y), callbacks=list(guards), verbose=0)


def guarded(x):
    fit(x, sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore"))


STATISTIC = "changes"  # name of the functions that `compiled` compiles


def test_the_next_model_and_a_short_last_batch_compile_no_statistic_again(rng, compilations):
    x = rng.random((20, 9, 14, 3)).astype("float32")  # a size that no other test has
    first = compilations(lambda: guarded(x[:16]))
    # Counts of images and of labels; pixels, samples, and labels of the samples.
    assert first.count(STATISTIC) == 5
    assert compilations(lambda: guarded(x[:16])) == compilations(lambda: fit(x[:16]))
    # The last batch of 4 samples is padded to 8; only the padding is compiled, and only once.
    assert STATISTIC not in compilations(lambda: guarded(x))
    assert compilations(lambda: guarded(x)) == compilations(lambda: fit(x))


def test_the_network_does_not_compile_again_for_a_short_batch(rng, compilations):
    x = rng.random((20, 4)).astype("float32")
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, name="features")(inputs)
    model = keras.Model(inputs, layers.Dense(2, "softmax")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = np.arange(20) % 2
    options = {"on_mismatch": "ignore", "on_shift": "ignore", "verbose": 0}
    guard = sg.ShiftGuard(target_data=x[:8], feature_layer="features", **options)

    def run():
        model.fit(x, y, 8, validation_data=(x, y), epochs=2, callbacks=[guard], verbose=0)

    assert compilations(run).count("_stateless_call") == 1
    outputs = guard.profiles["validation"].outputs
    assert outputs.features.num_samples == 20  # each once, and none of the padding
    assert outputs.confusion.sum() == outputs.predicted.sum() == 20
