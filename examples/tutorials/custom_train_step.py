"""A custom `train_step`: a subclassed model that adds noise to its loss as a regularization."""

import keras
from keras import layers, ops

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "custom train step"


@keras.saving.register_keras_serializable(package="tutorials")
class Classifier(keras.Model):
    """A network whose penalty on large outputs is in `compute_loss`, called by its own steps."""

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(16, 3, strides=2, activation="relu")
        self.second = layers.Conv2D(32, 3, strides=2, activation="relu")
        self.head = layers.Dense(10)
        self.flat = layers.Flatten()
        self.drop = layers.Dropout(0.3)

    def call(self, x, training=False):
        x = self.flat(self.second(self.first(x)))
        return self.head(self.drop(x, training=training))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training=training)
        return loss + 1e-3 * ops.mean(y_pred**2)


def build(seed):
    x, y = sources.digits(4000, seed)
    train, validation = sources.split(x, y, 3000)
    model = Classifier()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    planted = (
        mistakes.scaled(),
        mistakes.overflowing(),
        mistakes.upside_down(),
        mistakes.labels_exchanged(3, 5),
        mistakes.class_mix(lambda y: (y < 5) | (y == 8)),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 5}, mistakes=planted)
