"""Series classification: which surface does a line of brightness cross: brick, grass or gravel?

The series are rows of real photos: 96 pixels of a row, standardised one by one.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "series classification"
PHOTOS, LENGTH = ("brick", "grass", "gravel"), 96


def build(seed):
    crops, y = sources.photo_crops(PHOTOS, 4000, LENGTH, seed)
    x = crops[:, 0].mean(axis=-1, keepdims=True).astype("float32")
    x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1)
    train, validation = sources.split(x, y, 3000)
    body = []
    for width in (32, 32, 32):
        body += [layers.Conv1D(width, 5, padding="same"), layers.BatchNormalization(momentum=0.9)]
        body += [layers.ReLU()]
    head = [layers.GlobalAveragePooling1D(), layers.Dense(len(PHOTOS), activation="softmax")]
    model = keras.Sequential([keras.Input((LENGTH, 1)), *body, *head])
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    halves = lambda x, y: (np.repeat(x[:, ::2], 2, axis=1), y)  # noqa: E731
    planted = (
        mistakes.gain(10),
        mistakes.resampled(2),
        Mistake(
            "half the rate, repeated", halves, r"rate|resampl|repeat|resolution", r"rate|resampl"
        ),
        mistakes.clipped(-0.5, 0.5),
        mistakes.labels_exchanged(0, 2),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 5}, mistakes=planted)
