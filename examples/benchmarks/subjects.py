"""Subject benchmark: alarms in fits of tables whose rows belong to subjects, such as patients.

    KERAS_BACKEND=torch python examples/benchmarks/subjects.py --seeds 12

Each subject has rows of two of eight classes. Validation has subjects of its own, so no fit has a
fault, and every alarm is false. `spread` is the standard deviation of the subjects around their
class; the rows of a subject and class deviate by 0.4. In two lines each subject has one row, and
validation has its columns in reverse order, which is a fault. The other lines are regressions, in
which no cost can be measured: `alike` is the correlation of two rows of a subject, and validation
has the rows of each subject one after another, or shuffled. Every alarm is false, except in the
lines with a fault: one column of validation is moved by 0.8 standard deviations, in rows of one
subject each.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_shiftguard as sg

CLASSES, WITHIN = 8, 0.4
TRAINING, VALIDATION, ROWS = 60, 20, 20  # subjects, subjects, rows of a subject and class


def draw(rng, means, subjects, rows, spread):
    """Returns shuffled rows `(samples, columns)` and their class ids."""
    x, y = [], []
    for _ in range(subjects):
        for label in rng.choice(CLASSES, 2, replace=False):
            middle = means[label] + spread * rng.normal(size=means.shape[1])
            x.append(middle + WITHIN * rng.normal(size=(rows, means.shape[1])))
            y.append(np.full(rows, label))
    order = rng.permutation(2 * subjects * rows)
    return np.concatenate(x)[order].astype("float32"), np.concatenate(y)[order].astype("int32")


def is_alarm(train, validation, seed):
    """Returns whether the guard raises an alarm in a fit of four epochs."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(train[0].shape[1:]),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore")
    model.fit(*train, validation_data=validation, epochs=4, verbose=0, callbacks=[guard])
    return guard.report.shifted


def subjects(seed, spread, columns=20):
    """Returns whether validation with other subjects raises an alarm."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(CLASSES, columns))
    sizes = TRAINING, VALIDATION
    return is_alarm(*(draw(rng, means, size, ROWS, spread) for size in sizes), seed)


def reversed_columns(seed, columns, scale):
    """Returns whether columns in reverse order raise an alarm, in rows of one subject each."""
    rng = np.random.default_rng(seed)
    means = scale * rng.normal(size=(CLASSES, columns))
    sizes = TRAINING * ROWS, VALIDATION * ROWS
    train, (x, y) = (draw(rng, means, size, 1, 1.0) for size in sizes)
    return is_alarm(train, (x[:, ::-1].copy(), y), seed)


def regression(seed, alike, is_shuffled, subjects=40, rows=25, moved=0.0):
    """Returns whether a regression with other subjects in validation raises an alarm."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, np.sqrt(alike / (1 - alike)), (subjects, 6)).repeat(rows, axis=0)
    x = (own + rng.normal(size=own.shape)).astype("float32")
    y = (x @ np.arange(6) + rng.normal(size=len(x))).astype("float32")
    is_validation = np.arange(subjects).repeat(rows) >= round(0.8 * subjects)
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore")
    at = np.flatnonzero(is_validation)
    at = rng.permutation(at) if is_shuffled else at
    validation = x[at] + moved * x.std(axis=0) * np.eye(6)[0], y[at]
    train = x[~is_validation], y[~is_validation]
    model.fit(*train, validation_data=validation, epochs=3, verbose=0, callbacks=[guard])
    return guard.report.shifted


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    seeds = range(parser.parse_args().seeds)
    for spread in (0.3, 0.6, 1.0, 1.3):
        alarms = sum(subjects(seed, spread) for seed in seeds)
        print(f"other subjects, spread {spread}: {alarms} of {len(seeds)}", flush=True)
    for columns, scale in ((12, 2.0), (20, 1.0)):
        alarms = sum(reversed_columns(seed, columns, scale) for seed in seeds)
        print(f"{columns} columns in reverse order: {alarms} of {len(seeds)}", flush=True)
    for alike in (0.1, 0.2, 0.36, 0.6):
        found = [sum(regression(seed, alike, how) for seed in seeds) for how in (False, True)]
        print(
            f"regression, rows {alike} alike: {found[0]} of {len(seeds)} in order, "
            f"{found[1]} of {len(seeds)} shuffled",
            flush=True,
        )
    alarms = sum(regression(seed, 0.1, False, 1000, 1, moved=0.8) for seed in seeds)
    print(f"regression, one column moved: {alarms} of {len(seeds)}", flush=True)


if __name__ == "__main__":
    main()
