"""TabTransformer: attention among the columns of a table with categories (customers, as drawn in
`wide_and_deep.py`)."""

import keras
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial
from tutorials.wide_and_deep import SIZES, customers

KIND = "structured data"


def build(seed):
    x, y = customers(5000, seed + 1)
    train, validation = sources.split(x, y, 4000)
    inputs = {name: keras.Input((1,), name=name, dtype="int32") for name in SIZES}
    inputs |= {
        "income": keras.Input((1,), name="income"),
        "numbers": keras.Input((3,), name="numbers"),
    }
    columns = [layers.Embedding(size, 16)(inputs[name]) for name, size in SIZES.items()]
    words = layers.Concatenate(axis=1)(columns)
    words = layers.LayerNormalization()(words + layers.MultiHeadAttention(2, 8)(words, words))
    words = layers.LayerNormalization()(words + layers.Dense(16, activation="gelu")(words))
    normalize = layers.Normalization()
    normalize.adapt(train[0]["income"])
    numbers = [normalize(inputs["income"]), inputs["numbers"]]
    hidden = layers.Concatenate()([layers.Flatten()(words), *numbers])
    hidden = layers.Dropout(0.1)(layers.Dense(48, activation="gelu")(hidden))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    planted = (
        mistakes.recoded("city", SIZES["city"]),
        mistakes.unit("income", 0.001, name="income in thousands"),
        mistakes.columns_exchanged("job", "city"),
        mistakes.labels_shifted(),
        mistakes.leaked(*train),
    )
    return Tutorial(model, train, validation, {"batch_size": 64, "epochs": 6}, mistakes=planted)
