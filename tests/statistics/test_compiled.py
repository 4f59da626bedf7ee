"""TensorFlow compiles the statistics once for all models, without a change of the results."""

import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg
from keras_shiftguard.statistics import compiled
from keras_shiftguard.statistics.sketches import attributes
from keras_shiftguard.statistics.state import State

pytestmark = [
    pytest.mark.backend,
    pytest.mark.each_backend,
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow"),
]


def fit(x, batch_size=8):
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore")
    y = np.arange(2.0 * len(x)).reshape(-1, 2)
    model.fit(x, y, batch_size, validation_data=(x, y), callbacks=[guard], verbose=0)
    return guard.profiles


@pytest.fixture
def images(rng):
    return rng.random((16, 11, 13, 3)).astype("float32")  # a size that no other test has


@pytest.mark.thorough
def test_the_step_of_the_next_model_traces_no_statistic_again(images, monkeypatch):
    calls = []
    real = attributes.attributes
    monkeypatch.setattr(attributes, "attributes", lambda *args: calls.append(args) or real(*args))
    fit(images)
    assert len(calls) == 1  # validation uses the function of training
    fit(images)
    assert len(calls) == 1


def test_a_profile_a_comparison_and_a_diagnosis_trace_no_statistic_again(rng, monkeypatch):
    """Each function traces what no other has traced before, and nothing for other sizes."""

    def traced():
        return sum(len(update._functions) for update in compiled._updates.values())

    monkeypatch.setattr(compiled, "_updates", type(compiled._updates)())
    one, other = (rng.random((number, 5, 9, 3)).astype("float32") for number in (300, 61))
    network = keras.Sequential([keras.Input((5, 9, 3)), keras.layers.Flatten()])
    first = {}
    for name, function in (
        ("profile", lambda x: sg.profile(x)),
        ("compare", lambda x: sg.compare(x, x)),
        ("diagnose", lambda x: sg.diagnose(network, x)),
    ):
        before = traced()
        function(one)
        first[name] = traced() - before
        before = traced()
        function(other)
        assert traced() == before, name
    # Counts, pixels, samples, and the reads of their states. Without features: samples.
    assert first["compare"] == 0 and first["diagnose"] <= 2 < first["profile"], first


def test_two_threads_may_measure_at_once(monkeypatch):
    monkeypatch.setattr(compiled, "MAX_CACHED", 1)
    monkeypatch.setattr(compiled, "_compiled", lambda update, _: lambda variables: update())
    monkeypatch.setattr(compiled, "_updates", type(compiled._updates)())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            state = State("test")
            calls = [
                pool.submit(
                    lambda key=key: [
                        compiled.compiled_once(lambda: key, state, key) for _ in range(3000)
                    ]
                )
                for key in range(4)
            ]
            assert [set(call.result()) for call in calls] == [{0}, {1}, {2}, {3}]
    finally:
        sys.setswitchinterval(interval)


def test_a_variable_belongs_to_no_strategy():
    """If the strategy owned the variables, the counts of a second evaluation would be too small."""
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        variable = State("test").add("count", (2,))
    assert not isinstance(variable.value, tf.distribute.DistributedValues)
