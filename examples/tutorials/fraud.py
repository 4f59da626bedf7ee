"""Imbalanced data: 2 % of the payments are fraud; class weights, and recall beside accuracy.

No such table is in an installed package, so payments are drawn: the frauds are moved in six of
twelve normal columns, and their amounts, which are log-normal, are three times as large.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "imbalanced"
COLUMNS, RARE = 12, 0.02


def build(seed):
    random, count = np.random.default_rng(seed), 20_000
    y = (random.random(count) < RARE).astype("float32")
    moved = np.asarray([1.8, -1.5, 1.2, 0, 0, -1.0, 0.8, 0, 0, -1.2, 0, 0])
    columns = random.normal(size=(count, COLUMNS)) + moved * y[:, None]
    amount = np.exp(random.normal(3.5, 1.0, count)) * np.where(y, 3, 1)
    x = np.column_stack([columns, amount]).astype("float32")
    train, validation = sources.split(x, y[:, None], 15_000)
    normalize = layers.Normalization()
    normalize.adapt(train[0])
    body = [layers.Dense(64, activation="relu"), layers.Dropout(0.3), layers.Dense(32, "relu")]
    head = layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((COLUMNS + 1,)), normalize, *body, head])
    metrics = [keras.metrics.Recall(name="recall"), keras.metrics.Precision(name="precision")]
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", *metrics])
    backwards = lambda x: np.ascontiguousarray(x[:, ::-1])  # noqa: E731
    planted = (
        mistakes.of_inputs("columns reversed", backwards, "columns|order|revers", "order|revers"),
        mistakes.unit(COLUMNS, 100, name="amount in cents"),
        mistakes.columns_exchanged(0, 1),
        mistakes.filled(0, -9.0),
        mistakes.labels_shifted(),
        mistakes.class_mix(lambda y: (y[:, 0] == 1) | (np.arange(len(y)) % 10 == 0)),
    )
    fit = {"batch_size": 256, "epochs": 5, "class_weight": {0: 1.0, 1: 10.0}}
    return Tutorial(model, train, validation, fit, "recall", planted)
