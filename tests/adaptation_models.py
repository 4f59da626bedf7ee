"""Small models and data for the tests of adaptation."""

import keras
import numpy as np


def as_array(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.stop_gradient(tensor), "float32"))


def network(width=2, classes=2, **kwargs):
    inputs = keras.Input((width,))
    x = keras.layers.Dense(8, activation="tanh", name="first", **kwargs)(inputs)
    x = keras.layers.Dense(6, activation="relu", name="features", **kwargs)(x)
    outputs = keras.layers.Dense(classes, dtype="float32", name="answer")(x)
    return keras.Model(inputs, outputs, name="net")


def two_domains(rng, n=64, m=40):
    """Returns a source with two classes that are easy to separate, and a shifted target."""
    y = np.arange(n) % 2
    x = rng.normal(size=(n, 2)).astype("float32") + 2.0 * y[:, None].astype("float32")
    target = rng.normal(size=(m, 2)).astype("float32") + 1.0
    return x, y.astype("int32"), target
