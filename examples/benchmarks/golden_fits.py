"""Short fits of the golden corpus: tables, series, text, regressions, several inputs and others."""

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

import keras_shiftguard as sg

layers = keras.layers
EPOCHS = 4


def facts(report, diagnosis=None):
    """Returns the facts of a report and of a diagnosis, without words."""
    found = {
        f"{each.stream}|{each.against}|{each.feature}": {
            "kind": each.kind,
            "family": each.family,
            "alarm": bool(each.matters),
            "cost": None if each.cost is None else float(each.cost),
        }
        for each in report.findings
    }
    answer = {"shifted": report.shifted, "kinds": sorted(report.kinds), "findings": found}
    if diagnosis is not None:
        answer["status"] = diagnosis.status
        answer["expected"] = [diagnosis.expected.mode, diagnosis.expected.channel_order]
        answer["observed"] = [diagnosis.observed.mode, diagnosis.observed.channel_order]
    return answer


def fitted(model, train, validation, **options):
    """Trains a model under a guard, and returns the facts."""
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore", **options)
    epochs = {"epochs": EPOCHS, "batch_size": 32, "verbose": 0, "callbacks": [guard]}
    model.fit(*train, validation_data=validation, **epochs)
    return facts(guard.report, guard.diagnosis)


def mlp(width, outputs=1, activation="sigmoid", loss="binary_crossentropy"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((width,)),
            layers.Dense(32, "relu"),
            layers.Dense(outputs, activation),
        ]
    )
    model.compile("adam", loss, metrics=["accuracy"] if activation else [])
    return model


def table():
    """Returns standardised rows of biopsies in two parts, each with labels."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x = ((x - x.mean(axis=0)) / x.std(axis=0))[order].astype("float32")
    y = y[order].astype("float32")
    return (x[:350], y[:350]), (x[350:], y[350:])


def on_table(change):
    def run():
        train, (x, y) = table()
        return fitted(mlp(30), train, change(x.copy(), y.copy()))

    return run


def column_unit(x, y):
    x[:, [3, 23]] /= 100
    return x, y


def columns_exchanged(x, y):
    x[:, [0, 4]] = x[:, [4, 0]]
    return x, y


def regression(change):
    def run():
        x, y = load_diabetes(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(y))
        x, y = (20 * x[order]).astype("float32"), (y[order] / 100).astype("float32")
        model = mlp(10, activation=None, loss="mse")
        validation = change(x[250:].copy(), y[250:].copy())
        return fitted(model, (x[:250], y[:250]), validation)

    return run


def series(change):
    def run():
        rng = np.random.default_rng(0)
        y = rng.integers(0, 3, 900)
        t = np.arange(64) / 64
        phase = rng.uniform(0, 6.28, (900, 1))
        x = np.sin(2 * np.pi * (2 + 2 * y[:, None]) * t + phase) + rng.normal(0, 0.3, (900, 64))
        x = x[..., None].astype("float32")
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((64, 1)),
                layers.Conv1D(16, 7, activation="relu"),
                layers.GlobalMaxPooling1D(),
                layers.Dense(3, "softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return fitted(model, (x[:600], y[:600]), (change(x[600:]), y[600:]))

    return run


def text(change):
    def run():
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, 900)
        x = rng.integers(20, 200, (900, 20)).astype("int32")
        x[np.arange(900), rng.integers(0, 20, 900)] = 2 + y
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((20,), dtype="int32"),
                layers.Embedding(200, 8),
                layers.GlobalMaxPooling1D(),
                layers.Dense(1, "sigmoid"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
        return fitted(model, (x[:600], y[:600]), (change(x[600:].copy()), y[600:]))

    return run


def unknown_words(x):
    x[:, ::3] = 1
    return x


def two_inputs():
    (x, y), (vx, vy) = table()
    keras.utils.set_random_seed(0)
    inputs = {"a": keras.Input((15,), name="a"), "b": keras.Input((15,), name="b")}
    hidden = layers.Dense(16, "relu")(layers.Concatenate()(list(inputs.values())))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    parts = [{"a": each[:, :15], "b": each[:, 15:]} for each in (x, vx)]
    parts[1]["b"] = 3 * parts[1]["b"]
    return fitted(model, (parts[0], y), (parts[1], vy))


def digits(**options):
    """A fit on digits whose target, or reference, is darker than training."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x = (x[order] / 16).reshape(-1, 8, 8, 1).repeat(2, 1).repeat(2, 2).astype("float32")
    y = y[order]
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    given = {name: 0.4 * x[1400:] for name in options}
    return fitted(model, (x[:1000], y[:1000]), (x[1000:1400], y[1000:1400]), **given)


def cases():
    """Yields the name of each short fit, and a function that runs it."""
    same = lambda x, y: (x, y)  # noqa: E731
    yield "fit/table/right", on_table(same)
    yield "fit/table/unit", on_table(column_unit)
    yield "fit/table/exchanged", on_table(columns_exchanged)
    yield "fit/table/reversed", on_table(lambda x, y: (x[:, ::-1].copy(), y))
    yield "fit/regression/right", regression(same)
    yield "fit/regression/moved", regression(lambda x, y: (x + np.eye(10, dtype="f")[2], y))
    yield "fit/series/right", series(lambda x: x)
    yield "fit/series/gain", series(lambda x: 3 * x)
    yield "fit/text/right", text(lambda x: x)
    yield "fit/text/unknown words", text(unknown_words)
    yield "fit/two inputs", two_inputs
    yield "fit/target", lambda: digits(target_data=True)
    yield "fit/reference", lambda: digits(reference=True)
