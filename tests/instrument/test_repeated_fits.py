"""Repeated fits of a model: each is measured, and nothing is compiled again or kept."""

import gc
import warnings
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from keras_shiftguard import ShiftGuard, ShiftWarning

BACKEND = keras.backend.backend()
SIZE = 6


class Traces(layers.Layer):
    """A layer that counts how often a step is traced."""

    number = 0

    def call(self, x):
        try:
            np.asarray(x)
        except Exception:  # a symbolic tensor; the type of the error depends on the backend
            Traces.number += 1
        return x


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.random((40, SIZE, SIZE, 3)).astype("float32"), rng.integers(0, 3, 40)


def network():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Sequential([inputs, Traces(), layers.Flatten(), layers.Dense(3)])


def compiled(model, optimizer="sgd"):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


def fit(model, data, guard=None, callbacks=()):
    x, y = data
    used = [*callbacks, *([] if guard is None else [guard])]
    more = {"validation_data": (x[:20], y[:20]), "callbacks": used, "shuffle": False, "verbose": 0}
    model.fit(x, y, batch_size=20, epochs=2, **more)
    return guard


def quiet(**kwargs):
    return ShiftGuard(verbose=0, on_shift="ignore", **kwargs)


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch traces nothing")
def test_a_step_is_compiled_once_for_all_fits(data):
    model = compiled(network())
    fit(model, data, quiet())
    traced = Traces.number
    for _ in range(3):
        fit(model, data, quiet())
    assert Traces.number == traced
    fit(model, data, quiet(on_mismatch="fix"))  # needs another step
    traced = Traces.number
    for mode in ("warn", "fix"):
        fit(model, data, quiet(on_mismatch=mode))
    assert Traces.number == traced
    model.evaluate(*data, batch_size=20, callbacks=[quiet()], verbose=0)
    assert Traces.number == traced
    fit(model, data)  # Keras's own step, for the first time
    traced = Traces.number
    fit(model, data, quiet())
    fit(model, data)
    assert Traces.number == traced


@pytest.mark.thorough
def test_a_guarded_evaluate_inside_a_guarded_fit(data):
    class Nosy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            guard = quiet()
            self.model.evaluate(*data, callbacks=[guard], verbose=0)
            counted.append(guard.profiles["validation"].num_samples)

    counted, guard = [], quiet()
    model = compiled(network())
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShiftWarning)
        model.fit(*data, epochs=3, callbacks=[Nosy(), guard], verbose=0)
    assert counted == [40, 40, 40]
    # The guard of the fit goes on: its latest pass is the third one, over the same samples.
    assert guard._run.passes.counters["train"].repeats and guard.profiles["train"].num_samples == 40


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow keeps every model anyway")
def test_a_watched_model_can_be_collected(data):
    model = compiled(network())
    fit(model, data, quiet())
    gone = weakref.ref(model)
    del model
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None


@pytest.mark.backend
@pytest.mark.each_backend
@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize(
    "arguments", [{}, {"expects": "tf", "on_mismatch": "fix"}, {"adapt": True}]
)
@pytest.mark.filterwarnings("ignore::keras_shiftguard.ShiftWarning")
def test_a_guard_is_freed_without_the_garbage_collector(data, arguments):
    """Until a collection, the kept images of old guards would add up: up to 256 MiB a stream."""
    if "adapt" in arguments:
        arguments = {**arguments, "target_data": data[0]}
    guards, kept = [quiet(**arguments)], []

    def look(epoch, logs):
        run = guards[0]._run
        streams = [run.stream(name) for name in ("train", "validation")]
        buffers = [stream.kept_samples["input"] for stream in streams]
        assert all(len(buffer.positions) for buffer in buffers)
        kept.extend(map(weakref.ref, [run, *streams, *buffers]))

    model = compiled(network())
    gc.disable()
    try:
        fit(model, data, guards[0], [keras.callbacks.LambdaCallback(on_epoch_end=look)])
        assert kept and not any(ref() for ref in kept[1:5])  # the images, as soon as the fit ends
        guards.clear()
        # On PyTorch, Keras's own `keras.tree.flatten` leaves the list of callbacks in a cycle.
        assert BACKEND == "torch" or not any(ref() for ref in kept)
    finally:
        gc.enable()
