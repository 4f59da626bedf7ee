"""RandAugment inside the model, as in keras.io's recipe, on crops of colour photos."""

import keras
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "augmentation"
PHOTOS = ("brick", "coffee", "astronaut", "chelsea", "rocket", "immunohistochemistry", "retina")


def build(seed):
    x, y = sources.photo_crops(PHOTOS, 2800, 32, seed, side=256)
    train, validation = sources.split(x.astype("float32"), y, 2100)
    augment = layers.RandAugment((0, 255), num_ops=2, factor=0.3)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            augment,
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dense(len(PHOTOS), activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.of_inputs("scaled before", lambda x: x / 255, r"255|scale", r"255|Rescaling"),
        mistakes.bgr(),
        mistakes.of_inputs(
            "standardised",
            lambda x: (x - 127) / 64,
            r"range|standardi|scale|mean",
            r"\* |\+ |Rescaling|Normalization",
        ),
        mistakes.half_flat(),
        mistakes.labels_exchanged(1, 2),
        mistakes.transposed(),
    )
    return Tutorial(model, train, validation, {"batch_size": 32, "epochs": 5}, mistakes=planted)
