"""MixUp: each training image is a blend of two, and so is its label."""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "augmentation"


class MixUp(keras.utils.PyDataset):
    """Batches in which each image is blended with another one."""

    def __init__(self, x, y, batch_size=64, seed=0):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size
        self.random = np.random.default_rng(seed)

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        one, two = self.random.integers(0, len(self.x), (2, self.batch_size))
        share = self.random.beta(0.2, 0.2, self.batch_size).astype("float32")
        by_image = share[:, None, None, None]
        x = by_image * self.x[one] + (1 - by_image) * self.x[two]
        return x, share[:, None] * self.y[one] + (1 - share[:, None]) * self.y[two]


class Plain(keras.utils.PyDataset):
    """Batches of arrays in order."""

    def __init__(self, x, y, batch_size=64):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def __getitem__(self, index):
        at = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.x[at], self.y[at]


def build(seed):
    x, y = sources.fashion(5000, seed)
    train, validation = sources.split(x, np.eye(10, dtype="float32")[y], 4000)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "categorical_crossentropy", metrics=["accuracy"])

    def pipeline(data, training):
        return MixUp(*data, seed=seed) if training else Plain(*data)

    planted = (
        mistakes.scaled_twice(),
        mistakes.overflowing(),
        mistakes.transposed(),
        mistakes.half_flat(),
        mistakes.labels_shifted(),
    )
    return Tutorial(model, train, validation, {"epochs": 6}, "accuracy", planted, pipeline)
