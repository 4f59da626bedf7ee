"""Regression on a table: the price of homes in Boston (506 towns, 13 columns, in mlxtend)."""

import keras
import numpy as np
from keras import layers
from mlxtend.data import boston_housing_data

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "regression"
ROOMS, DISTANCE, TAX, STATUS = 5, 7, 9, 12


def build(seed):
    x, y = boston_housing_data()
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order].astype("float32"), y[order].astype("float32")[:, None]
    train, validation = sources.split(x, y, 300)
    normalize = layers.Normalization()
    normalize.adapt(train[0])
    body = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")]
    model = keras.Sequential([keras.Input((13,)), normalize, *body, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    planted = (
        mistakes.unit(DISTANCE, 1.609, name="kilometres in place of miles"),
        mistakes.unit(TAX, 0.1, name="tax per thousand"),
        mistakes.columns_exchanged(ROOMS, STATUS),
        mistakes.filled(STATUS, 0.0),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 16, "epochs": 40}, "mae", planted)
