"""Texts of unknown length in a `tf.data` pipeline with `padded_batch`, and a subclassed model."""

import keras
import tensorflow as tf
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "text classification"
BACKENDS = ("tensorflow",)
WORDS, LENGTH = 2000, 64


class Classifier(keras.Model):
    """The mean of the vectors of all words, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(WORDS, 48, mask_zero=True)
        self.pool, self.drop = layers.GlobalAveragePooling1D(), layers.Dropout(0.3)
        self.head = layers.Dense(len(sources.PARTS))

    def call(self, x, training=False):
        return self.head(self.drop(self.pool(self.embed(x)), training=training))


def build(seed):
    texts, y = sources.docstrings()
    x = sources.word_ids(texts, 2000, WORDS, LENGTH)
    train, validation = sources.split(x, y, 2000)
    model = Classifier()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])

    def pipeline(data, training):
        def rows():
            for row, label in zip(*data, strict=True):
                yield row[row > 0], label

        kinds = (tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32))
        dataset = tf.data.Dataset.from_generator(rows, output_signature=kinds).cache()
        return dataset.padded_batch(32)

    planted = (
        mistakes.other_vocabulary(size=WORDS),
        mistakes.unknown_words(),
        mistakes.of_inputs(
            "cut after 12 words", lambda x: x[:, :12], r"length|cut|trunc|short", r"length|trunc"
        ),
        mistakes.labels_exchanged(1, 4),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"epochs": 8}, "accuracy", planted, pipeline)
