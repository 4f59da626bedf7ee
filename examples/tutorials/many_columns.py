"""Thirteen inputs of one column each, as feature-wise recipes have it."""

import keras
import numpy as np
from keras import layers
from mlxtend.data import boston_housing_data

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "structured data"
NAMES = "crime zone industry river nox rooms age distance radial tax pupils b status".split()


def build(seed):
    x, y = boston_housing_data()
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order].astype("float32"), (y[order] > 21).astype("float32")
    columns = {name: x[:, i : i + 1] for i, name in enumerate(NAMES)}
    train, validation = sources.split(columns, y, 300)
    inputs = {name: keras.Input((1,), name=name) for name in NAMES}
    encoded = []
    for name in NAMES:
        normalize = layers.Normalization()
        normalize.adapt(train[0][name])
        encoded.append(normalize(inputs[name]))
    hidden = layers.Dense(48, activation="relu")(layers.Concatenate()(encoded))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.2)(hidden)))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.unit("distance", 1.609, name="kilometres in place of miles"),
        mistakes.columns_exchanged("rooms", "status"),
        mistakes.filled("status", 0.0),
        mistakes.unit("tax", 0.1, name="tax per thousand"),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 16, "epochs": 20}, mistakes=planted)
