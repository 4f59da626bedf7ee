"""A Python generator that draws training rows with replacement, with `steps_per_epoch`."""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "generator"
BATCH, STEPS = 64, 40


def build(seed):
    x, y = sources.fashion(2000, seed)
    train, validation = sources.split(x.reshape(len(x), 784), y, 1200)

    def draws(data):
        random = np.random.default_rng(seed)
        while True:
            chosen = random.integers(0, len(data[1]), BATCH)
            yield data[0][chosen], data[1][chosen]

    def pipeline(data, training):
        return draws(data) if training else _Batches(*data)

    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.of_inputs("0..255", lambda x: x * 255, mistakes.SCALE, r"/ ?255|Rescaling"),
        mistakes.half_flat(),
        mistakes.labels_exchanged(0, 6),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    fit = {"epochs": 8, "steps_per_epoch": STEPS}
    return Tutorial(model, train, validation, fit, "accuracy", planted, pipeline)


class _Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return -(-len(self.x) // BATCH)

    def __getitem__(self, index):
        at = slice(index * BATCH, (index + 1) * BATCH)
        return self.x[at], self.y[at]
