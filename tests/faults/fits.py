"""Helpers: small fits, their final numbers, and the records in their log."""

import os
import warnings

import keras
import numpy as np
from keras import layers
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

import keras_shiftguard as sg

BACKEND = keras.backend.backend()
EPOCHS = 3
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 6)).astype("float32"), RNG.integers(0, 3, 64)
TARGET = RNG.normal(size=(96, 6)).astype("float32")


def new_model(optimizer="adam"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # TensorFlow runs eagerly, because tracing a step takes seconds and running it takes
    # milliseconds. JAX always compiles.
    model.compile(optimizer, loss, run_eagerly=BACKEND == "tensorflow")
    return model


def image_model(shape=(8, 8, 3)):
    """Returns a model of images, or of videos, with three classes."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, run_eagerly=BACKEND == "tensorflow")
    return model


def run(model, callbacks, x=X, **kwargs):
    kwargs = {"epochs": EPOCHS, "validation_data": (x[:32], Y[:32]), **kwargs}
    return model.fit(
        x, Y, batch_size=32, callbacks=list(callbacks), shuffle=False, verbose=0, **kwargs
    )


def numbers(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)
    )


def watched(*callbacks, x=X):
    """Fits a new model; returns its final numbers and the warnings of the guard."""
    model = new_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(model, callbacks, x)
    return numbers(model), [str(w.message) for w in caught if w.category is sg.ShiftWarning]


def quiet(**arguments):
    return sg.ShiftGuard(verbose=0, **{"on_shift": "ignore", **arguments})


class After(keras.callbacks.Callback):
    """A callback, listed after the guard, that calls a function after the first epoch."""

    def __init__(self, action):
        super().__init__()
        self.action = action

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.action()


def records(log_dir):
    """Returns every complete record of the event file."""
    (path,) = (log_dir / "shiftguard").iterdir()
    return list(RawEventFileLoader(str(path)).Load())


def opened_event_file(log_dir):
    """Returns the file descriptor of the event file that this process has open."""
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith(str(log_dir)) and "tfevents" in target:
            return int(fd)
    raise AssertionError("no event file is open")
