"""Metric learning: a Siamese network says whether two pictures show the same kind of clothing."""

import keras
import numpy as np
from keras import layers, ops

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "metric learning"


@keras.saving.register_keras_serializable(package="tutorials")
def distance(pair):
    return ops.sqrt(ops.maximum(ops.sum((pair[0] - pair[1]) ** 2, axis=1, keepdims=True), 1e-6))


def pairs(x, y, count, random):
    """Returns pairs of images, half of them of one class, and whether they are."""
    first = random.integers(0, len(x), count)
    second = random.integers(0, len(x), count)
    for i in range(0, count, 2):
        second[i] = random.choice(np.flatnonzero(y == y[first[i]]))
    return {"left": x[first], "right": x[second]}, (y[first] == y[second]).astype("float32")


def build(seed):
    x, y = sources.fashion(4000, seed)
    random = np.random.default_rng(seed)
    train, validation = (
        pairs(x[part], y[part], count, random)
        for part, count in ((slice(3000), 3000), (slice(3000, None), 800))
    )
    tower = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(32),
        ]
    )
    inputs = {name: keras.Input((28, 28, 1), name=name) for name in ("left", "right")}
    far = layers.Lambda(distance, output_shape=(1,))(
        [tower(inputs["left"]), tower(inputs["right"])]
    )
    outputs = layers.Dense(1, activation="sigmoid")(layers.BatchNormalization()(far))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.of_inputs("one input 255 times", lambda x: x * 255, r"255|scale", "255", "left"),
        mistakes.of_inputs(
            "one input upside down",
            lambda x: x[:, ::-1].copy(),
            "upside|flip|turned|mirror",
            "upside|flip|turned|mirror",
            "right",
        ),
        Mistake("labels inverted", lambda x, y: (x, 1 - y), "label|class", "label|class"),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 8}, mistakes=planted)
