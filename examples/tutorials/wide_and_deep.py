"""Wide and deep: ids of three categories and numbers; does a customer take the offer?

No such table is in an installed package, so customers are drawn: the chance is logistic in the
income, in an effect of each job and city, and in one for each pair of job and season.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "structured data"
SIZES = {"job": 12, "city": 20, "season": 4}


def customers(count, seed):
    random = np.random.default_rng(seed)
    x = {name: random.integers(0, size, (count, 1)) for name, size in SIZES.items()}
    numbers = random.normal(size=(count, 4)).astype("float32")
    effect = np.random.default_rng(0)
    chance = effect.normal(0, 1.5, 12)[x["job"][:, 0]] + effect.normal(0, 1.0, 20)[x["city"][:, 0]]
    chance += effect.normal(0, 1.5, (12, 4))[x["job"][:, 0], x["season"][:, 0]]
    chance += 1.5 * numbers[:, 0] - numbers[:, 1]
    y = (random.random(count) < 1 / (1 + np.exp(-2 * chance))).astype("float32")
    income = 42_000 + 12_000 * numbers[:, :1]
    x = {name: ids.astype("int32") for name, ids in x.items()}
    return x | {"income": income, "numbers": numbers[:, 1:]}, y


def build(seed):
    train, validation = sources.split(*customers(5000, seed), 4000)
    inputs = {name: keras.Input((1,), name=name, dtype="int32") for name in SIZES}
    inputs |= {
        "income": keras.Input((1,), name="income"),
        "numbers": keras.Input((3,), name="numbers"),
    }
    normalize = layers.Normalization()
    normalize.adapt(train[0]["income"])
    numbers = [normalize(inputs["income"]), inputs["numbers"]]
    one_hot = [layers.CategoryEncoding(size)(inputs[name]) for name, size in SIZES.items()]
    wide = layers.BatchNormalization()(layers.Concatenate()([*one_hot, *numbers]))
    near = [layers.Flatten()(layers.Embedding(n, 8)(inputs[name])) for name, n in SIZES.items()]
    deep = layers.Dense(32, activation="relu")(layers.Concatenate()([*near, *numbers]))
    outputs = layers.Dense(1, activation="sigmoid")(layers.Concatenate()([wide, deep]))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.recoded("job", SIZES["job"]),
        mistakes.unit("income", 100, name="income in cents"),
        mistakes.filled("income", 0.0),
        mistakes.recoded("season", SIZES["season"]),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 8}, mistakes=planted)
