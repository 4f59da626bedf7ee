"""A GAN with a custom `train_step` on TensorFlow; it has no validation and no labels."""

import keras
import tensorflow as tf
from keras import layers

from tutorials import sources
from tutorials.tutorial import Tutorial

KIND = "generative"
BACKENDS = ("tensorflow",)
SIZE = 32


class GAN(keras.Model):
    """A generator and a discriminator that are trained in turn."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seeds = keras.random.SeedGenerator(0)
        self.trackers = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]

    @property
    def metrics(self):
        return self.trackers

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real):
        count = tf.shape(real)[0]
        noise = keras.random.normal((count, SIZE), seed=self.seeds)
        both = tf.concat([self.generator(noise), real], axis=0)
        labels = tf.concat([tf.ones((count, 1)), tf.zeros((count, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            answers = self.discriminator(self.generator(noise))
            g_loss = self.loss_fn(tf.zeros((count, 1)), answers)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        for tracker, value in zip(self.trackers, (d_loss, g_loss), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def build(seed):
    x, _ = sources.digits(2000, seed)
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, activation="leaky_relu"),
            layers.Conv2D(32, 3, strides=2, activation="leaky_relu"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    generator = keras.Sequential(
        [
            keras.Input((SIZE,)),
            layers.Dense(7 * 7 * 16, activation="leaky_relu"),
            layers.Reshape((7, 7, 16)),
            layers.Conv2DTranspose(16, 4, strides=2, padding="same", activation="leaky_relu"),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ]
    )
    model = GAN(generator, discriminator)
    optimizers = [keras.optimizers.Adam(1e-3) for _ in range(2)]
    model.compile(*optimizers, keras.losses.BinaryCrossentropy(from_logits=True))
    return Tutorial(model, (x, None), None, {"batch_size": 64, "epochs": 3}, "g_loss")
