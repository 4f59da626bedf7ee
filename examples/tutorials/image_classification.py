"""Image classification from scratch: a small convolutional network on Fashion-MNIST."""

import keras
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "image classification"


def build(seed):
    x, y = sources.fashion(5000, seed)
    train, validation = sources.split(x, y, 4000)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.scaled(),
        mistakes.scaled_twice(),
        mistakes.overflowing(),
        mistakes.transposed(),
        mistakes.half_flat(),
        mistakes.labels_exchanged(1, 9),
    )
    fit = {"batch_size": 64, "epochs": 4}
    return Tutorial(model, train, validation, fit, mistakes=planted)
