"""Small models and data for the tests of adaptation, and gradients on every backend."""

import keras
import numpy as np


def gradients_of(loss, variables):
    """Returns the gradients of `loss()` with respect to Keras variables, as NumPy arrays."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [v.value for v in variables])
    elif backend == "jax":
        import jax

        def stateless(values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return loss()

        found = jax.grad(stateless)([v.value for v in variables])
    else:
        for v in variables:
            v.value.grad = None
        loss().backward()
        found = [v.value.grad for v in variables]
    return [None if g is None else as_array(g) for g in found]


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
