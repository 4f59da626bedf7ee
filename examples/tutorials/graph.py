"""Graph: to which topic does a paper belong, by its words and by those of the papers it cites?

No such graph is in an installed package, so one is drawn: papers have one of seven topics, cite
papers of their topic four times of five, and use words that their topic makes more frequent. A
paper comes with the mean words of those that it cites (a simplified graph convolution).
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "graph"
TOPICS, WORDS, CITED = 7, 120, 5


def papers(count, seed):
    random, topics = np.random.default_rng(seed), np.random.default_rng(3)
    y = random.integers(0, TOPICS, count)
    rate = 0.03 * np.exp(topics.normal(0, 1, (TOPICS, WORDS)))
    words = (random.random((count, WORDS)) < np.clip(rate[y], 0, 0.9)).astype("float32")
    of_topic = [np.flatnonzero(y == topic) for topic in range(TOPICS)]
    cited = np.stack([random.choice(of_topic[topic], CITED) for topic in y])
    elsewhere = random.random(cited.shape) < 0.2
    cited[elsewhere] = random.integers(0, count, elsewhere.sum())
    return {"words": words, "cited": words[cited].mean(axis=1)}, y.astype("int32")


def build(seed):
    x, y = papers(4000, seed)
    train, validation = sources.split(x, y, 3000)
    inputs = {name: keras.Input((WORDS,), name=name) for name in x}
    shared = layers.Dense(48, activation="relu")
    hidden = layers.Concatenate()(
        [shared(inputs["words"]), layers.Dense(48, "relu")(inputs["cited"])]
    )
    outputs = layers.Dense(TOPICS, activation="softmax")(layers.Dropout(0.5)(hidden))
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    rolled = lambda v: np.roll(v, 1, axis=1)  # noqa: E731
    planted = (
        mistakes.of_inputs(
            "other vocabulary",
            rolled,
            r"vocabular|order|moved|columns",
            r"order|vocabular|columns",
            "words",
        ),
        mistakes.of_inputs(
            "sum in place of mean",
            lambda v: v * CITED,
            r"times|scale|unit|factor",
            r"/ |divide|unit|scale",
            "cited",
        ),
        mistakes.columns_exchanged("words", "cited"),
        mistakes.labels_exchanged(),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 32, "epochs": 10}, mistakes=planted)
