"""Text classification with integer tokens: from which part of Python's library is a docstring?"""

import keras
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "text classification"
WORDS, LENGTH = 2000, 48


def build(seed):
    texts, y = sources.docstrings()
    x = sources.word_ids(texts, 2000, WORDS, LENGTH)
    train, validation = sources.split(x, y, 2000)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(WORDS, 48),
            layers.Dropout(0.3),
            layers.Conv1D(64, 3, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(len(sources.PARTS), activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    short = lambda x: x[:, :12]  # noqa: E731
    planted = (
        mistakes.other_vocabulary(size=WORDS),
        mistakes.unknown_words(),
        mistakes.of_inputs("cut after 12 words", short, r"length|cut|trunc|short", r"length|trunc"),
        mistakes.padded_before(),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 32, "epochs": 8}, mistakes=planted)
