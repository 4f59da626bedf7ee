"""Tables of some hundred rows: which mistakes before the scaler are told, and with the right name?

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python examples/benchmarks/small_tables.py --seeds 3 4 5

Tables of scikit-learn are standardised as tutorials do it, with a scaler that was fitted on the
training rows. A mistake changes one column of validation, or two, before that scaler. Each mistake,
and none, has a fit of five epochs under the guard. What it costs is measured on the same network
with the right rows. Validation has 102 to 600 rows.
"""

import argparse
import os
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn import datasets

import keras_shiftguard as sg

COSTLY = 0.02  # of accuracy
SHARE = 0.6  # of the rows that training gets
# What the verdict must say, by mistake; "" if no operation of the guard undoes it.
WORDS = {
    "unit": "in another unit",
    "tenfold": "in another unit",
    "fahrenheit": "in another unit",
    "exchanged": "exchanged before they were scaled",
    "missing": "partly filled",
    "logarithm": "",
}


def synthetic(number, columns, seed, **options):
    x, y = datasets.make_classification(number, columns, random_state=seed, **options)
    rng = np.random.default_rng(seed)
    return x * rng.uniform(0.2, 5, columns) + rng.uniform(-3, 9, columns), y


TABLES = {
    "wine": lambda seed: datasets.load_wine(return_X_y=True),
    "cancer": lambda seed: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda seed: datasets.load_digits(return_X_y=True),
    "hard": lambda seed: synthetic(1500, 12, seed, n_informative=6, n_classes=3, flip_y=0.15),
    "easy": lambda seed: synthetic(600, 8, seed, n_informative=5, class_sep=1.5),
}


def changed(x, mistake, one, other, rng):
    """Returns rows with a mistake in the column `one`, or in two columns."""
    x = x.copy()
    if mistake in ("unit", "tenfold"):
        x[:, one] *= 2.54 if mistake == "unit" else 10
    elif mistake == "fahrenheit":
        x[:, one] = x[:, one] * 1.8 + 32
    elif mistake == "exchanged":
        x[:, [one, other]] = x[:, [other, one]]
    elif mistake == "missing":
        x[rng.random(len(x)) < 0.5, one] = -1
    elif mistake == "logarithm":
        x[:, one] = np.log1p(np.abs(x[:, one]))
    return x


def fitted(train, validation, seed, epochs):
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(32, activation="relu") for _ in range(2)]
    last = keras.layers.Dense(int(train[1].max()) + 1, activation="softmax")
    model = keras.Sequential([keras.Input(train[0].shape[1:]), *hidden, last])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.fit(*train, validation_data=validation, epochs=epochs, verbose=0, callbacks=[guard])
    return model, guard.verdict


def outcomes(name, seed, epochs):
    """Yields a mistake, what it costs, and the verdict; the first mistake is none."""
    rng = np.random.default_rng(seed)
    x, y = TABLES[name](seed)
    order = rng.permutation(len(y))[:1500]
    cut = int(SHARE * len(order)) if len(order) > 300 else len(order) - 102
    (known, x), (labels, y) = (np.split(each[order], [cut]) for each in (x, y))
    one, other = rng.choice(x.shape[1], 2, replace=False)
    mean, deviation = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-3)

    def scaled(rows):
        return ((rows - mean) / deviation).astype("float32")

    for mistake in ("none", *WORDS):
        wrong = scaled(changed(x, mistake, one, other, rng))
        model, verdict = fitted((scaled(known), labels), (wrong, y), seed, epochs)
        right, now = (model.evaluate(rows, y, verbose=0)[1] for rows in (scaled(x), wrong))
        yield mistake, right - now, verdict


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[3, 4, 5])
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    total = Counter()
    for name in options.data:
        for seed in options.seeds:
            for mistake, cost, verdict in outcomes(name, seed, options.epochs):
                alarm = verdict.state == "act"
                part = "costly" if cost >= COSTLY else "cheap"
                total[part] += 1
                total[f"{part} alarm"] += alarm
                words = WORDS.get(mistake, "")
                if part == "costly" and alarm and words:
                    total["to name"] += 1
                    total["named"] += words in verdict.cause
                print(f"{name} {seed} {mistake}: costs {100 * cost:.1f} points; {verdict.state}: "
                      f"{verdict.cause}", flush=True)  # fmt: skip
    print(f"mistakes that cost 2 points: alarm in {total['costly alarm']} of {total['costly']}")
    print(f"  with the right name: {total['named']} of {total['to name']}")
    print(f"mistakes that cost less, and none: alarm in {total['cheap alarm']} of {total['cheap']}")


if __name__ == "__main__":
    main()
