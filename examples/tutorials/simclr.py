"""SimCLR-like: nested batches of unlabeled and labeled images, a contrastive loss in `train_step`.

Validation has only labeled images, as in keras.io's recipe.
"""

import keras
import tensorflow as tf
from keras import layers, ops

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "contrastive"
BACKENDS = ("tensorflow",)


class Contrastive(keras.Model):
    """An encoder that is trained on pairs of views, and a linear probe on its features."""

    def __init__(self):
        super().__init__()
        self.augment = keras.Sequential(
            [layers.RandomTranslation(0.15, 0.15), layers.RandomContrast(0.4)]
        )
        self.encoder = keras.Sequential(
            [
                layers.Conv2D(16, 3, strides=2, activation="relu"),
                layers.Conv2D(32, 3, strides=2, activation="relu"),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
            ]
        )
        self.head, self.probe = layers.Dense(32), layers.Dense(10)
        self.contrast = keras.metrics.Mean(name="c_loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="p_acc")
        self.probe_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @property
    def metrics(self):
        return [self.contrast, self.accuracy]

    def call(self, x):
        return self.probe(self.encoder(x))

    def contrastive(self, images):
        one, two = (self.head(self.encoder(self.augment(images, training=True))) for _ in range(2))
        one, two = (ops.normalize(view, axis=1) for view in (one, two))
        own = ops.arange(ops.shape(one)[0])
        likeness = one @ ops.transpose(two) / 0.1
        loss = keras.losses.sparse_categorical_crossentropy
        return ops.mean(loss(own, likeness, True) + loss(own, ops.transpose(likeness), True))

    def train_step(self, data):
        (unlabeled, _), (labeled, y) = data
        with tf.GradientTape() as tape:
            contrast = self.contrastive(tf.concat([unlabeled, labeled], axis=0))
            answers = self.probe(ops.stop_gradient(self.encoder(labeled)))
            loss = contrast + self.probe_loss(y, answers)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.contrast.update_state(contrast)
        self.accuracy.update_state(y, answers)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, data):
        x, y = data
        self.accuracy.update_state(y, self(x))
        return {self.accuracy.name: self.accuracy.result()}


def build(seed):
    x, y = sources.digits(5000, seed)

    def pipeline(data, training):
        if not training:
            return tf.data.Dataset.from_tensor_slices(data).batch(100)
        (free, labels), (labeled, classes) = sources.split(*data, 3000)
        free = tf.data.Dataset.from_tensor_slices((free, labels)).batch(100)
        labeled = tf.data.Dataset.from_tensor_slices((labeled, classes)).repeat().batch(33)
        return tf.data.Dataset.zip((free, labeled))

    train, validation = sources.split(x, y, 4000)
    model = Contrastive()
    model.compile(keras.optimizers.Adam(3e-3))
    model(x[:1])
    planted = (
        mistakes.scaled(),
        mistakes.transposed(),
        mistakes.half_flat(),
        mistakes.labels_exchanged(3, 5),
    )
    return Tutorial(model, train, validation, {"epochs": 6}, "p_acc", planted, pipeline)
