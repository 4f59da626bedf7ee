"""Masked language model: which word is missing? The loss counts only the hidden places."""

import keras
import numpy as np
from keras import layers, ops

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "language model"
WORDS, LENGTH = 600, 24
MASK = WORDS


def hidden(tokens, random):
    """Returns tokens with 15 % hidden, and the tokens with -1 where nothing is to be found."""
    chosen = (random.random(tokens.shape) < 0.15) & (tokens > 1)
    return np.where(chosen, MASK, tokens).astype("int32"), np.where(chosen, tokens, -1)


@keras.saving.register_keras_serializable(package="tutorials")
class AddPositions(layers.Layer):
    """Adds a learned vector for each place of a text."""

    def build(self, shape):
        self.places = self.add_weight(shape=(LENGTH, shape[-1]), name="places")

    def call(self, x):
        return x + self.places[: ops.shape(x)[1]]


def build(seed):
    texts, _ = sources.docstrings()
    tokens = sources.word_ids(texts, 2000, WORDS, LENGTH)
    data = hidden(tokens, np.random.default_rng(seed))
    train, validation = sources.split(*data, 2000)
    inputs = keras.Input((None,), dtype="int32")
    x = AddPositions()(layers.Embedding(WORDS + 1, 48)(inputs))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 24)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(48)(layers.Dense(96, "relu")(x)))
    model = keras.Model(inputs, layers.Dense(WORDS + 1)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    planted = (
        mistakes.other_vocabulary(size=WORDS),
        mistakes.unknown_words(),
        mistakes.padded_before(),
        mistakes.labels_shifted(),
    )
    return Tutorial(model, train, validation, {"batch_size": 32, "epochs": 6}, "loss", planted)
