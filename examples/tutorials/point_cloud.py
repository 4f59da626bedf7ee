"""Point clouds, in the manner of PointNet: handwritten digits as 96 points with a height.

A point is where ink is; its third number is how dark the ink is there.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "point cloud"
POINTS = 96


def clouds(count, seed):
    x, y = sources.digits(count, seed)
    random = np.random.default_rng(seed)
    points = np.zeros((count, POINTS, 3), "float32")
    for i, image in enumerate(x[..., 0]):
        rows, columns = np.nonzero(image > 0.2)
        chosen = random.integers(0, len(rows), POINTS)
        points[i] = np.stack([columns[chosen] / 14 - 1, 1 - rows[chosen] / 14,
                              image[rows[chosen], columns[chosen]]], axis=-1)  # fmt: skip
    return points + random.normal(0, 0.02, points.shape).astype("float32"), y


def build(seed):
    train, validation = sources.split(*clouds(4000, seed), 3200)
    body = [layers.Conv1D(32, 1, activation="relu"), layers.Conv1D(128, 1, activation="relu")]
    head = [layers.GlobalMaxPooling1D(), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((POINTS, 3)), *body, *head])
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    upside = lambda v: -v  # noqa: E731
    planted = (
        mistakes.columns_exchanged(0, 1),
        mistakes.of_inputs(
            "y points down",
            upside,
            r"sign|mirror|flip|inver|unit|upside",
            r"sign|\* ?-1|flip|inver",
            1,
        ),
        mistakes.of_inputs(
            "not normalised", lambda v: (v + 1) * 14, r"scale|unit|times|range", r"/ |normali|scale"
        ),
        mistakes.unit(2, 255, name="third number in 0..255"),
        mistakes.labels_exchanged(1, 7),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 32, "epochs": 6}, mistakes=planted)
