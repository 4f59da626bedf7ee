"""A classifier with known weights, and images that it mostly classifies correctly."""

import keras
import numpy as np

SIDE = 16


def classifier():
    """Returns a classifier of images in [0, 1]: dark (0), reddish (1) and greenish (2)."""
    inputs = keras.Input((SIDE, SIDE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(3, "softmax", name="head")(pooled)
    model = keras.Model(inputs, outputs)
    kernel = np.asarray([[-10.0, 20, -20], [-10, -20, 20], [-10, 0, 0]])
    model.get_layer("head").set_weights([kernel, np.asarray([9.5, 0, 0])])
    return model


def photos(number, seed=0, shares=(1 / 3, 1 / 3, 1 / 3)):
    """Returns noisy images in [0, 1] and their classes. The dark images are the hardest."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, number, p=shares)
    colour = np.asarray([[0.22, 0.2, 0.2], [0.6, 0.4, 0.35], [0.4, 0.6, 0.35]])[y]
    colour = colour + rng.normal(0, 0.05, (number, 3))
    pixels = colour[:, None, None] + rng.normal(0, 0.25, (number, SIDE, SIDE, 3))
    return (np.clip(pixels, 0, 1) * 255).round().astype("uint8") / np.float32(255), y
