"""Anomalies: an autoencoder of heart beats learns normal ones; its error would find the others.

No recording is in an installed package, so beats are drawn: P wave, QRS complex and T wave as five
bumps whose place, width and height vary, with noise, as in the model of McSharry et al. (2003).
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "anomaly detection"
LENGTH = 140
BUMPS = ((0.2, 0.03, 0.15), (0.36, 0.012, -0.12), (0.4, 0.014, 1.0), (0.44, 0.012, -0.25),
         (0.68, 0.05, 0.3))  # fmt: skip


def beats(count, seed):
    random, at = np.random.default_rng(seed), np.linspace(0, 1, LENGTH)
    x = random.normal(0, 0.02, (count, LENGTH))
    for place, width, height in BUMPS:
        places = place + random.normal(0, 0.02, (count, 1))
        widths = width * np.exp(random.normal(0, 0.15, (count, 1)))
        x += height * random.normal(1, 0.15, (count, 1)) * np.exp(-(((at - places) / widths) ** 2))
    return x.astype("float32")


def build(seed):
    x = beats(5000, seed)
    train, validation = sources.split(x, x, 4000)
    sizes = (64, 16, 8, 16, 64)
    body = [layers.Dense(size, activation="relu") for size in sizes]
    model = keras.Sequential([keras.Input((LENGTH,)), *body, layers.Dense(LENGTH)])
    model.compile(keras.optimizers.Adam(2e-3), "mae")

    def both(mistake):  # input and target are the same array
        def change(x, y):
            changed, _ = mistake.change(x, None)
            return changed, changed

        return Mistake(mistake.name, change, mistake.cause, mistake.step)

    planted = (
        both(mistakes.gain(10)),
        both(mistakes.delayed(15)),
        both(mistakes.resampled(2)),
        both(mistakes.half_flat()),
        both(mistakes.clipped(-0.1, 0.4)),
        mistakes.labels_shifted(),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 12}, "loss", planted)
