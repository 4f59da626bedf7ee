"""Small models and data for fits with a guard."""

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_shiftguard as sg


def digits(side=8):
    """Returns shuffled images of digits in [0, 1], `(1797, side, side, 1)`, and their class ids."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    images = (x[order] / 16).reshape(-1, 8, 8, 1).astype("float32")
    return np.kron(images, np.ones((1, side // 8, side // 8, 1), "float32")), y[order]


def compiled(
    shape, *layers, loss="sparse_categorical_crossentropy", rate=0.01, metrics=(), dtype=None
):
    """Returns a compiled sequential model."""
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *layers])
    model.compile(keras.optimizers.Adam(rate), loss, metrics=list(metrics))
    return model


def dense(shape, classes=10, hidden=32, **options):
    """Returns a compiled classifier with one hidden layer; one class means one logistic output."""
    if classes == 1:
        options.setdefault("loss", "binary_crossentropy")
    last = keras.layers.Dense(classes, activation="sigmoid" if classes == 1 else "softmax")
    hidden = keras.layers.Dense(hidden, activation="relu")
    return compiled(shape, keras.layers.Flatten(), hidden, last, **options)


def regression(shape, **options):
    """Returns a compiled model of one number, with one hidden layer."""
    hidden = keras.layers.Dense(32, activation="relu")
    return compiled(shape, hidden, keras.layers.Dense(1), **{"loss": "mse", **options})


def watched(model, train, validation=None, epochs=3, fit=None, **guard):
    """Fits a model under a guard, and returns the guard.

    Args:
        fit: Further arguments of `fit`, as a dict.
        guard: Arguments of the guard, which by default prints and warns nothing.
    """
    guard = sg.ShiftGuard(**{"verbose": 0, "on_shift": "ignore", **guard})
    fit = dict(fit or {})
    callbacks = [guard, *fit.pop("callbacks", ())]
    data = train if isinstance(train, tuple) else (train,)
    options = {"validation_data": validation, "epochs": epochs, "callbacks": callbacks, **fit}
    model.fit(*data, verbose=0, **options)
    return guard
