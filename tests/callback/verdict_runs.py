"""Runs with different faults, or none, whose verdicts the tests compare."""

import keras
import numpy as np
from keras import layers
from small_fits import compiled, dense

import keras_shiftguard as sg


def photos(seed, number, classes=4):
    """Images in [0, 1] whose class is the place of a bright bar, with labels."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, classes, number)
    x = draw.uniform(0.2, 0.6, (number, 16, 16, 3))
    for i, label in enumerate(y):
        x[i, :, 4 * label : 4 * label + 4] += 0.35
    return (x * draw.uniform(0.7, 1, (number, 1, 1, 1))).astype("float32"), y


def image_model():
    """A small compiled classifier of images."""
    keras.utils.set_random_seed(0)
    convolution = layers.Conv2D(8, 3, activation="relu")
    last = layers.Dense(4, "softmax")
    parts = convolution, layers.Flatten(), last
    return compiled((16, 16, 3), *parts, rate=1e-3, metrics=["accuracy"])


def table(seed, number):
    """Rows of four columns, and a class that the first two make."""
    draw = np.random.default_rng(seed)
    x = draw.normal(3, 1, (number, 4)).astype("float32")
    return x, (x[:, 0] - 2 * x[:, 1] > -3).astype("int64")


def fit(model, train, validation, epochs=3, **arguments):
    """Fits a model with a guard, and returns the guard."""
    guard = sg.ShiftGuard(**arguments)
    model.fit(*train, validation_data=validation, epochs=epochs, callbacks=[guard], verbose=0)
    return guard


def mismatch(**arguments):
    x, y = photos(0, 300)
    return fit(image_model(), (x, y), (x[:100], y[:100]), expects="raw", **arguments)


def corrected(**arguments):
    return mismatch(on_mismatch="fix", **arguments)


def costly(**arguments):
    (x, y), (v, w) = photos(0, 800), photos(1, 500)
    noise = np.random.default_rng(2).normal(0, 2, v.shape).astype("float32")
    return fit(image_model(), (x, y), (v + noise, w), epochs=9, **arguments)


def healthy(**arguments):
    return fit(image_model(), photos(0, 500), photos(1, 300), **arguments)


def alone(**arguments):
    return fit(image_model(), photos(0, 300), None, **arguments)


def label_fault(**arguments):
    (x, y), (v, w) = photos(0, 800), photos(1, 500)
    return fit(image_model(), (x, y), (v, np.where(w == 1, 2, w)), epochs=5, **arguments)


def unit_fault(**arguments):
    (x, y), (v, w) = table(0, 800), table(1, 500)
    v = v / np.asarray([1, 100, 1, 1], "float32")
    return fit(dense((4,), 2, 16, rate=0.02), (x, y), (v, w), epochs=10, **arguments)


def regression(**arguments):
    (x, _), (v, _) = table(0, 800), table(1, 500)
    keras.utils.set_random_seed(0)
    parts = layers.Dense(16, activation="relu"), layers.Dense(1)
    model = compiled((4,), *parts, loss="mse", rate=0.01)
    y, w = x[:, :1] - 2 * x[:, 1:2], v[:, :1] - 2 * v[:, 1:2]
    v = v * np.asarray([25.4, 1, 1, 1], "float32")
    return fit(model, (x, y), (v, w), epochs=10, **arguments)


def two_faults(**arguments):
    (x, y), (v, w) = photos(0, 800), photos(1, 500)
    return fit(image_model(), (x, y), (255 * v, np.where(w == 1, 2, w)), epochs=5, **arguments)


def adapted(**arguments):
    target, _ = photos(2, 300)
    more = {"target_data": target**2, "adapt": True, **arguments}
    return fit(image_model(), photos(0, 500), photos(1, 300), **more)


ALL = (mismatch, corrected, costly, healthy, alone, label_fault, unit_fault)
RUNS = {run.__name__: run for run in (*ALL, regression, two_faults, adapted)}
