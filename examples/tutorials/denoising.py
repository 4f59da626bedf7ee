"""Image to image: a convolutional autoencoder takes the noise out of handwritten digits."""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "image to image"


def build(seed):
    clean, _ = sources.digits(4000, seed)
    noise = np.random.default_rng(seed).normal(0, 0.4, clean.shape)
    noisy = np.clip(clean + noise, 0, 1).astype("float32")
    train, validation = sources.split(noisy, clean, 3000)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["mse"])
    planted = (
        mistakes.on_targets(mistakes.upside_down()),
        mistakes.labels_shifted(),
        mistakes.scaled(),
        mistakes.half_flat(),
        mistakes.of_inputs("inverted", lambda x: 1 - x, "invert|negative", "invert|1 - x|negative"),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 3}, "mse", planted)
