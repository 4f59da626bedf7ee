"""Sample weights: a third of the training labels come from a careless annotator and count less."""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "sample weights"


def build(seed):
    x, y = sources.digits(5000, seed)
    train, validation = sources.split(x, y, 4000)
    random = np.random.default_rng(seed)
    careless = random.random(len(train[1])) < 1 / 3
    wrong = careless & (random.random(len(train[1])) < 0.3)
    labels = np.where(wrong, random.integers(0, 10, len(wrong)), train[1]).astype("int32")
    weights = np.where(careless, 0.3, 1.0).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    planted = (
        mistakes.scaled(),
        mistakes.overflowing(),
        mistakes.half_flat(),
        mistakes.labels_exchanged(4, 9),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    fit = {"batch_size": 64, "epochs": 5}
    return Tutorial(model, (train[0], labels, weights), validation, fit, mistakes=planted)
