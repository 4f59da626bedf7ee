"""Networks and data of the account benchmark (`accounts.py`)."""

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
from fashion import fashion_mnist
from keras import layers
from photos import odd_photos
from sklearn import datasets

# --- data: inputs as they are before any scaler, and labels --------------------------------------


@functools.cache
def fashion(number=14_000):
    x, y = fashion_mnist()
    chosen = np.random.default_rng(0).permutation(len(x))[:number]
    return (x[chosen] / 255).astype("float32"), y[chosen].astype("int32")


def garments():
    """Two small garments in two corners: each of the ten classes is a label of its own."""
    x, y = fashion()
    images = np.zeros((len(x) // 2, 28, 28, 1), "float32")
    images[:, :14, :14], images[:, 14:, 14:] = x[0::2, ::2, ::2], x[1::2, ::2, ::2]
    return images, np.maximum(np.eye(10)[y[0::2]], np.eye(10)[y[1::2]]).astype("float32")


@functools.cache
def patches(number=8000, side=24):
    """Parts of colour photos; the class is the photo."""
    names = "astronaut chelsea coffee immunohistochemistry retina china flower motorcycle_left"
    photos, rng = odd_photos(160), np.random.default_rng(0)
    y = rng.integers(0, 8, number).astype("int32")
    corners = rng.integers(0, 160 - side, (number, 2))
    images = [photos[name] for name in names.split()]
    cut = [images[c][i : i + side, j : j + side] for c, (i, j) in zip(y, corners, strict=True)]
    return (np.stack(cut) / 255).astype("float32"), y


def digits():
    x, y = datasets.load_digits(return_X_y=True)
    return (x.reshape(-1, 8, 8, 1) / 16).astype("float32"), y.astype("int32")


def rows(name):
    """A table; its columns keep their units."""
    if name == "housing":
        from mlxtend.data import boston_housing_data

        x, y = boston_housing_data()
        return x.astype("float32"), (y / 10).astype("float32")
    if name == "friedman":
        x, y = datasets.make_friedman1(1500, 8, noise=1.0, random_state=0)
        return x.astype("float32"), (y / 5).astype("float32")
    if name == "diabetes":
        x, y = datasets.load_diabetes(return_X_y=True, scaled=False)
        return x.astype("float32"), (y / 100).astype("float32")
    if name == "synthetic":
        x, y = datasets.make_classification(
            1800, 12, n_informative=8, n_classes=3, flip_y=0.05, class_sep=1.5, random_state=0
        )
        return with_units(x), y.astype("int32")
    load = {"cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}
    x, y = load.get(name, datasets.load_digits)(return_X_y=True)
    return x.astype("float32"), y.astype("int32")


def with_units(x):
    rng = np.random.default_rng(0)
    columns = x.shape[1]
    return (x * rng.uniform(0.2, 5, columns) + rng.uniform(-3, 9, columns)).astype("float32")


# --- networks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A network and its data.

    Args:
        load: Gives inputs and labels.
        sizes: Numbers of samples of training, validation and other data.
        body: Gives the layers before the head, from the shape of the inputs.
        task: `"classes"`, `"labels"` (several for a sample) or `"numbers"` (to predict).
        data: `"grey"`, `"colour"` or `"table"`.
        epochs: Number of epochs.
        hard: Classes that validation has more of, where its mix of classes is another.
    """

    load: Any
    sizes: tuple[int, int, int]
    body: Any
    task: str = "classes"
    data: str = "grey"
    epochs: int = 5
    hard: tuple[int, ...] = (0, 2, 4, 6)


def convolutions(norm=False, dropout=0.0, augment=()):
    def body(shape):
        small = shape[0] < 12
        parts = [layer() for layer in augment]
        for filters, strides in ((16, 1 if small else 2), (32, 2)):
            parts.append(layers.Conv2D(filters, 3, strides=strides))
            parts += [layers.BatchNormalization(momentum=0.9)] if norm else []
            parts.append(layers.ReLU())
        parts += [layers.Flatten(), *([layers.Dropout(dropout)] if dropout else [])]
        return [*parts, layers.Dense(64, "relu")]

    return body


def dense(units=32):
    return lambda shape: [layers.Dense(units, "relu"), layers.Dense(units, "relu")]


def built(network, x, y):
    """Returns a compiled network."""
    parts = [keras.Input(x.shape[1:]), *network.body(x.shape[1:])]
    if network.task == "numbers":
        head, loss, metrics = layers.Dense(1), "mse", []
    elif network.task == "labels":
        head, loss = layers.Dense(y.shape[1], "sigmoid"), "binary_crossentropy"
        metrics = ["binary_accuracy"]
    elif y.max() == 1:
        head, loss, metrics = layers.Dense(1, "sigmoid"), "binary_crossentropy", ["accuracy"]
    else:
        head, metrics = layers.Dense(int(y.max()) + 1, "softmax"), ["accuracy"]
        loss = "sparse_categorical_crossentropy"
    model = keras.Sequential([*parts, head])
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=metrics)
    return model


FLIP = (lambda: layers.RandomFlip("horizontal"),)
MOVE = (lambda: layers.RandomTranslation(0.1, 0.1), lambda: layers.RandomRotation(0.04))
MANY, SOME, TABLE = (1500, 600, 300), (800, 600, 300), {"data": "table", "epochs": 15, "hard": (0,)}
NUMBERS = {"data": "table", "task": "numbers", "epochs": 25}
NETWORKS = {
    "plain": Network(fashion, MANY, convolutions()),
    "norm": Network(fashion, MANY, convolutions(norm=True)),
    "dropout": Network(fashion, MANY, convolutions(dropout=0.5), epochs=6),
    "augmented": Network(fashion, MANY, convolutions(augment=MOVE), epochs=6),
    "colour": Network(patches, MANY, convolutions(), data="colour", hard=(0, 5, 7)),
    "colour norm": Network(patches, MANY, convolutions(norm=True), data="colour", epochs=9),
    "colour flipped": Network(patches, MANY, convolutions(augment=FLIP), data="colour"),
    "digits": Network(digits, (900, 500, 300), convolutions(), epochs=8, hard=(1, 8, 9)),
    "digits norm": Network(digits, (900, 500, 300), convolutions(norm=True), epochs=8),
    "garments": Network(garments, MANY, convolutions(), task="labels", epochs=6),
    "cancer": Network(lambda: rows("cancer"), (280, 190, 99), dense(), **TABLE),
    "wine": Network(lambda: rows("wine"), (80, 64, 34), dense(), **{**TABLE, "epochs": 30}),
    "digit rows": Network(
        lambda: rows("digit rows"), (900, 500, 300), dense(), **{**TABLE, "hard": (1, 8, 9)}
    ),
    "synthetic": Network(lambda: rows("synthetic"), SOME, dense(), **TABLE),
    "housing": Network(lambda: rows("housing"), (250, 170, 86), dense(), **NUMBERS),
    "friedman": Network(lambda: rows("friedman"), (700, 500, 300), dense(), **NUMBERS),
    "diabetes": Network(lambda: rows("diabetes"), (220, 148, 74), dense(16), **NUMBERS),
}
