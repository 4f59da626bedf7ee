"""Structured data with string columns, as with a feature space: who has heart disease?

No such table is in an installed package, so patients are drawn: age, blood pressure, cholesterol
and pulse are normal, with usual means; the risk is logistic in them, in the kind of chest pain and
in smoking, each with the direction that is known from medicine.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "structured data"
PAIN = ("typical", "atypical", "other", "none")
BACKENDS = ("tensorflow",)  # strings


def patients(count, seed):
    random = np.random.default_rng(seed)
    x = {
        "age": random.normal(54, 9, count),
        "pressure": random.normal(131, 17, count),
        "cholesterol": random.normal(246, 50, count),
        "pulse": random.normal(150, 22, count),
        "pain": random.choice(PAIN, count, p=(0.1, 0.2, 0.3, 0.4)),
        "smokes": random.choice(("yes", "no"), count, p=(0.3, 0.7)),
    }
    risk = 0.12 * (x["age"] - 54) + 0.04 * (x["pressure"] - 131) + 0.02 * (x["cholesterol"] - 246)
    risk -= 0.05 * (x["pulse"] - 150) + 0.8
    risk += np.select([x["pain"] == kind for kind in PAIN], (2.5, 1.0, -0.5, -2.0))
    risk += 1.5 * (x["smokes"] == "yes")
    y = (random.random(count) < 1 / (1 + np.exp(-2 * risk))).astype("float32")
    columns = {
        name: v.astype("float32" if v.dtype == float else object)[:, None] for name, v in x.items()
    }
    return columns, y


def build(seed):
    x, y = patients(4000, seed)
    train, validation = sources.split(x, y, 3000)
    inputs, encoded = {}, []
    for name, column in train[0].items():
        if column.dtype == object:
            inputs[name] = keras.Input((1,), name=name, dtype="string")
            words = sorted({str(word) for word in column[:, 0]})
            encoded.append(
                layers.StringLookup(vocabulary=words, output_mode="one_hot")(inputs[name])
            )
        else:
            inputs[name] = keras.Input((1,), name=name)
            normalize = layers.Normalization()
            normalize.adapt(column)
            encoded.append(normalize(inputs[name]))
    hidden = layers.Dense(32, activation="relu")(layers.Concatenate()(encoded))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.2)(hidden)))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    upper = lambda v: np.asarray([[str(word[0]).upper()] for word in v], dtype=object)  # noqa: E731
    planted = (
        mistakes.of_inputs(
            "categories in capitals", upper, "pain|categor|unknown", "lower|categor", "pain"
        ),
        mistakes.unit("cholesterol", 1 / 38.67, name="mmol in place of mg"),
        mistakes.columns_exchanged("pressure", "pulse"),
        mistakes.filled("pulse", 0.0),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )

    def pipeline(data, training):
        dataset = tf.data.Dataset.from_tensor_slices(data)
        dataset = dataset.shuffle(1000, seed=seed) if training else dataset
        return dataset.batch(32)

    return Tutorial(model, train, validation, {"epochs": 8}, "accuracy", planted, pipeline)
