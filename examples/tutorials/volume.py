"""Volumes, as of a CT: does a lung hold a nodule?

No volume is in an installed package, so they are drawn in Hounsfield units: air, a body of soft
tissue with two lungs, vessels as lines, and in half of them a ball in a lung.
They are cut to -1000..400 and scaled to [0, 1], as in keras.io's recipe.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "volume"
SIDE, DEPTH = 24, 12
LOW, HIGH = -1000, 400


def scans(count, seed):
    random = np.random.default_rng(seed)
    rows, columns, slices = np.indices((SIDE, SIDE, DEPTH)).astype("float32")
    x, y = np.zeros((count, SIDE, SIDE, DEPTH), "float32"), random.integers(0, 2, count)
    for i in range(count):
        scan = np.full((SIDE, SIDE, DEPTH), -1000.0)
        middle, sick = SIDE / 2 + random.normal(0, 0.7, 2), random.choice((-1, 1))
        scan[((rows - middle[0]) / 10) ** 2 + ((columns - middle[1]) / 11) ** 2 < 1] = 40
        for side in (-1, 1):
            place = middle + (0, 5 * side)
            scan[((rows - place[0]) / 7) ** 2 + ((columns - place[1]) / 4) ** 2 < 1] = -850
            for _ in range(2):  # vessels run through all slices
                at = place + random.uniform(-3, 3, 2)
                scan[(rows - at[0]) ** 2 + (columns - at[1]) ** 2 < 1.5] = 40
            if y[i] and side == sick:
                at = (*(place + random.uniform(-2, 2, 2)), random.uniform(3, DEPTH - 3))
                far = (rows - at[0]) ** 2 + (columns - at[1]) ** 2 + (slices - at[2]) ** 2
                scan[far < random.uniform(1.8, 2.8) ** 2] = 60
        x[i] = scan + random.normal(0, 80, scan.shape)
    return x[..., None], y.astype("float32")


def scaled(x):
    return (np.clip(x, LOW, HIGH) - LOW) / (HIGH - LOW)


def build(seed):
    x, y = scans(800, seed)
    train, validation = sources.split(scaled(x).astype("float32"), y, 600)
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, DEPTH, 1)),
            layers.Conv3D(16, 3, activation="relu"),
            layers.MaxPooling3D(2),
            layers.Conv3D(24, 3, activation="relu"),
            layers.GlobalMaxPooling3D(),
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    back = lambda v: v * (HIGH - LOW) + LOW  # noqa: E731
    soft = lambda v: np.clip((v * (HIGH - LOW) + LOW + 160) / 400, 0, 1)  # noqa: E731
    planted = (
        mistakes.of_inputs(
            "in Hounsfield units", back, r"Hounsfield|range|scale|-1000", r"scale|clip|/ "
        ),
        mistakes.of_inputs(
            "another window", soft, r"window|clip|range|contrast|scale", r"clip|window|range"
        ),
        mistakes.of_inputs(
            "volume turned",
            lambda v: v.swapaxes(1, 2),
            r"transpos|axes|turn|rows and col",
            r"transpos|axes|turn",
        ),
        mistakes.half_flat(),
        mistakes.labels_shifted(),
    )
    return Tutorial(model, train, validation, {"batch_size": 16, "epochs": 5}, mistakes=planted)
