"""Segmentation with masks: which pixels belong to the garment, under noise on a busy background."""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "segmentation"
BACKGROUNDS = ("brick", "grass", "gravel")


def data(seed):
    """Returns garments pasted on textures, `(n, 32, 32, 1)`, and their masks."""
    random = np.random.default_rng(seed)
    clothes, _ = sources.fashion(1500, seed)
    clothes = np.pad(clothes, ((0, 0), (2, 2), (2, 2), (0, 0)))
    masks = (clothes > 0.15).astype("float32")
    crops, _ = sources.photo_crops(BACKGROUNDS, 1500, 32, seed)
    behind = crops.mean(axis=-1, keepdims=True).astype("float32") / 255
    x = masks * (0.3 + 0.7 * clothes) + (1 - masks) * 0.7 * behind
    for i, (down, right) in enumerate(random.integers(-2, 3, (1500, 2))):
        x[i], masks[i] = (np.roll(a[i], (down, right), (0, 1)) for a in (x, masks))
    return x, masks


def build(seed):
    train, validation = sources.split(*data(seed), 1200)
    inputs = keras.Input((32, 32, 1))
    fine = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(fine)
    coarse = layers.Conv2D(32, 3, padding="same", activation="relu")(coarse)
    x = layers.Concatenate()([fine, layers.UpSampling2D()(coarse)])
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    moved = lambda x, y: (x, np.roll(y, 4, axis=2))  # noqa: E731
    turned = lambda x, y: (x, y.swapaxes(1, 2))  # noqa: E731
    inverted = lambda x, y: (x, 1 - y)  # noqa: E731
    planted = (
        Mistake("masks moved by 4 pixels", moved, "mask|target|label", "mask|align|target"),
        Mistake("masks transposed", turned, "mask|target|label", "mask|transpos|target"),
        Mistake("masks inverted", inverted, "mask|target|label", "invert|1 - |mask"),
        mistakes.scaled(),
        mistakes.half_flat(),
        mistakes.transposed(),
    )
    return Tutorial(model, train, validation, {"batch_size": 32, "epochs": 4}, mistakes=planted)
