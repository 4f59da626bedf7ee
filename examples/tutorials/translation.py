"""A small translation: dates as people of ten languages write them, to ISO 8601.

The dates are written by babel with the conventions of each language (CLDR). An encoder reads the
characters, a decoder writes one character after the other and sees those before.
"""

import datetime

import keras
import numpy as np
from babel.dates import format_date
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "translation"
LOCALES = ("en_US", "en_GB", "de", "fr", "it", "es", "nl", "sv", "pl", "pt")
LENGTH, START = 28, 11


def dates(count, seed):
    """Returns dates as ids of characters, and in ISO 8601 as ids of ten digits and a hyphen."""
    random, first = np.random.default_rng(seed), datetime.date(1950, 1, 1)
    days = [first + datetime.timedelta(int(d)) for d in random.integers(0, 40_000, count)]
    forms = random.choice(("short", "medium", "long"), count)
    texts = [
        format_date(d, f, random.choice(LOCALES)).lower() for d, f in zip(days, forms, strict=True)
    ]
    letters = {c: i + 2 for i, c in enumerate("0123456789abcdefghijklmnopqrstuvwxyz ./-,")}
    x = np.zeros((count, LENGTH), "int32")
    for i, text in enumerate(texts):
        x[i, : len(text)] = [letters.get(c, 1) for c in text[:LENGTH]]
    y = [["0123456789-".index(c) for c in d.isoformat()] for d in days]
    return x, np.asarray(y, "int32"), texts


def build(seed):
    x, y, _ = dates(5000, seed)
    before = np.concatenate([np.full((len(y), 1), START, "int32"), y[:, :-1]], axis=1)
    train, validation = sources.split({"text": x, "before": before}, y, 4200)
    text, written = (keras.Input((None,), dtype="int32", name=name) for name in ("text", "before"))
    letters = layers.Embedding(48, 32, mask_zero=True)(text)
    states = layers.Bidirectional(layers.GRU(48))(letters)
    out = layers.GRU(96, return_sequences=True)(
        layers.Embedding(12, 16)(written), initial_state=states
    )
    model = keras.Model(
        {"text": text, "before": written}, layers.Dense(11, activation="softmax")(out)
    )
    model.compile(
        keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )

    def late(x, y):  # the decoder is fed what it has to write
        return {**x, "before": y}, y

    planted = (
        Mistake("decoder fed its targets", late, r"before|leak|target", r"shift|before|start"),
        mistakes.of_inputs(
            "other vocabulary",
            lambda v: np.where(v > 0, v % 42 + 1, 0).astype("int32"),
            r"vocabular|renumber|ids?",
            r"vocabular|ids|tokeni",
            "text",
        ),
        mistakes.of_inputs(
            "cut after 8", lambda v: v[:, :8], r"length|cut|trunc|short", r"length|trunc", "text"
        ),
        mistakes.labels_shifted(),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 4}, mistakes=planted)
