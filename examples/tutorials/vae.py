"""A variational autoencoder as a subclassed model, whose loss is added in `call`."""

import keras
from keras import layers, ops

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "generative"


@keras.saving.register_keras_serializable(package="tutorials")
class VariationalAutoencoder(keras.Model):
    """Encodes an image as a normal distribution, and decodes a draw of it."""

    def __init__(self, size=8):
        super().__init__()
        self.encoder = keras.Sequential(
            [layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(2 * size)]
        )
        self.decoder = keras.Sequential(
            [
                layers.Dense(128, activation="relu"),
                layers.Dense(784, activation="sigmoid"),
                layers.Reshape((28, 28, 1)),
            ]
        )
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x, training=False):
        mean, log_variance = ops.split(self.encoder(x), 2, axis=-1)
        divergence = ops.exp(log_variance) + mean**2 - 1 - log_variance
        self.add_loss(0.5 * ops.mean(ops.sum(divergence, axis=-1)) / 784)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds) if training else 0.0
        return self.decoder(mean + noise * ops.exp(0.5 * log_variance))


def build(seed):
    x, _ = sources.digits(5000, seed)
    train, validation = sources.split(x, x, 4000)
    model = VariationalAutoencoder()
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")

    def both(mistake):  # an autoencoder reads its input and its target from the same files
        def change(x, y):
            changed, _ = mistake.change(x, None)
            return changed, changed

        return mistakes.Mistake(mistake.name, change, mistake.cause, mistake.step)

    planted = (
        both(mistakes.scaled()),
        both(mistakes.half_flat()),
        both(mistakes.transposed()),
        both(mistakes.of_inputs("inverted", lambda x: 1 - x, "invert|negative", "invert|1 - x")),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 6}, "loss", planted)
