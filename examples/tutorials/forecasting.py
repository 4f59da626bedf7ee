"""Forecasting: the temperature of the next hours from that of the last two days.

The weather is drawn: a year with its season, a daily curve, and a disturbance that lasts for days
(an autoregressive process of order 1), in degrees Celsius, with pressure and wind beside it.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "forecasting"
PAST, AHEAD = 48, 6


def weather(hours, seed):
    random = np.random.default_rng(seed)
    at = np.arange(hours)
    slow = np.zeros(hours)
    for i in range(1, hours):
        slow[i] = 0.98 * slow[i - 1] + random.normal(0, 0.5)
    season = 9 * np.sin(2 * np.pi * at / 8760)
    daily = (4 + 0.03 * season) * np.sin(2 * np.pi * (at - 9) / 24)
    temperature = 11 + season + daily + slow + random.normal(0, 0.2, hours)
    pressure = 1013 + 1.5 * slow + random.normal(0, 1.0, hours)
    wind = np.abs(4 + random.normal(0, 2, hours))
    return np.stack([temperature, pressure, wind], axis=-1).astype("float32")


def build(seed):
    series = weather(3 * 8760, seed)
    starts = np.arange(0, len(series) - PAST - AHEAD, 7)
    x = np.stack([series[i : i + PAST] for i in starts])
    y = np.stack([series[i + PAST : i + PAST + AHEAD, 0] for i in starts])
    order = np.random.default_rng(seed).permutation(len(x))
    train, validation = sources.split(x[order], y[order], 3000)
    normalize = layers.Normalization()
    normalize.adapt(train[0])
    inputs = keras.Input((PAST, 3))
    hidden = layers.Conv1D(24, 5, strides=2, activation="relu")(normalize(inputs))
    hidden = layers.Flatten()(layers.Conv1D(24, 5, strides=2, activation="relu")(hidden))
    change = layers.Dense(AHEAD)(layers.Dense(32, activation="relu")(hidden))
    last = inputs[:, -1:, 0]
    model = keras.Model(inputs, layers.Add()([change, last]))
    model.compile("adam", "mse", metrics=["mae"])
    planted = (
        mistakes.unit(0, 1.8, 32, name="Fahrenheit"),
        mistakes.delayed(-3),
        mistakes.resampled(2),
        mistakes.columns_exchanged(0, 2),
        mistakes.labels_shifted(),
        mistakes.unit(1, 0.1, name="pressure in kPa"),
    )
    fit = {"batch_size": 64, "epochs": 6}
    return Tutorial(model, train, validation, fit, "mae", planted)
