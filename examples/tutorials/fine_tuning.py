"""Fine-tuning: a new head on a frozen EfficientNet with real weights, behind light augmentation.

From which of six photos is a crop? The crops of training are from the left parts of the photos.
"""

import keras
import lite0
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "fine-tuning"
PHOTOS = ("brick", "grass", "gravel", "coffee", "astronaut", "chelsea")


def build(seed):
    x, y = sources.photo_crops(PHOTOS, 640, 64, seed)
    train, validation = sources.split((x.astype("float32") - 127) / 128, y, 480)
    backbone = lite0.build(include_top=False, pooling="avg", size=64)
    backbone.trainable = False
    inputs = keras.Input((64, 64, 3))
    features = backbone(layers.RandomFlip("horizontal")(inputs), training=False)
    outputs = layers.Dense(len(PHOTOS), activation="softmax")(layers.Dropout(0.2)(features))
    model = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    unit = mistakes.of_inputs(
        "scaled to [0, 1]", lambda x: (x + 1) / 2, mistakes.SCALE, r"Rescaling|\* ?2|- ?1"
    )
    planted = (
        unit,
        mistakes.scaled(128),
        mistakes.bgr(),
        mistakes.transposed(),
        mistakes.labels_exchanged(),
    )
    fit = {"batch_size": 32, "epochs": 3}
    return Tutorial(model, train, validation, fit, mistakes=planted)
