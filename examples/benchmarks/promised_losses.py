"""Promises beyond images with one class: does a repair win back what a fit promised?

    KERAS_BACKEND=torch python examples/benchmarks/promised_losses.py --seeds 0 1 2

Each fit trains a small network with a `ShiftGuard` on real data: a table, numbers to predict,
several labels, two inputs, masks, a series. Validation is changed in one way, or not at all. The
truth comes from other data that the guard does not see: what the same change costs there, and what
`finding.repair` wins back there. Costs are points of accuracy for one class a sample, else shares
of the compiled loss.
"""

import argparse
import json
import os
import sys
import time
import warnings
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import keras
import numpy as np
from fashion import fashion_mnist
from keras import layers
from mlxtend.data import boston_housing_data
from skimage import color, data
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

import keras_shiftguard as sg
from keras_shiftguard.callback import spending

# Time is that of this process, so that other programs do not take it from the experiments.
spending.time = SimpleNamespace(perf_counter=time.process_time, process_time=time.process_time)

COSTLY = 0.02  # a change that costs this share of accuracy or loss should be an alarm
EPOCHS = 8


@dataclass
class Task:
    """A network and its data.

    Args:
        x: Inputs: an array, or a dict of arrays.
        y: Labels.
        sizes: Numbers of samples of training, validation and other data.
        build: Makes the compiled network from `x`.
        changes: By name: a function from inputs, labels and random numbers to changed ones.
        changed: Name of the input that the changes are made on.
    """

    x: Any
    y: Any
    sizes: tuple[int, int, int]
    build: Any
    changes: dict[str, Any]
    changed: str = "input"


def each(tree, function):
    return keras.tree.map_structure(function, tree)


# --- changes -------------------------------------------------------------------------------------


def times(column, factor, offset=0.0):
    def change(x, y, rng):
        x = x.copy()
        x[..., column] = factor * x[..., column] + offset
        return x, y

    return change


def exchanged(one, other):
    def change(x, y, rng):
        x = x.copy()
        x[..., [one, other]] = x[..., [other, one]]
        return x, y

    return change


def only_x(function):
    return lambda x, y, rng: (function(x).astype("float32"), y)


def noisier(x, y, rng):
    return (x + rng.normal(0, 0.25, x.shape)).astype("float32"), y


def mirrored_with_masks(x, y, rng):
    return x[:, :, ::-1].copy(), y[:, :, ::-1].copy()


IMAGES = {
    "darker x .5": only_x(lambda x: 0.5 * x),
    "mirrored": only_x(lambda x: x[:, :, ::-1].copy()),
    "three pixels": only_x(lambda x: np.roll(x, 3, axis=2)),
    "upside down": only_x(lambda x: x[:, ::-1].copy()),
    "noise": noisier,
    "inverted": only_x(lambda x: 1 - x),
}
# --- tasks ---------------------------------------------------------------------------------------


def dense(units, activation, loss):
    def build(x):
        norm = layers.Normalization()
        norm.adapt(x)
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:], name="input"),
                norm,
                layers.Dense(32, "relu"),
                layers.Dense(units, activation),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), loss)
        return model

    return build


def columns(x):
    """Changes of a table: of its first three columns that have a unit."""
    wide = [i for i in range(x.shape[1]) if len(np.unique(x[:, i])) > 10]
    one, two, three = wide[0], wide[len(wide) // 2], wide[-1]
    return {
        f"column {one} x 25.4": times(one, 25.4),
        f"column {two} x 1.8 + 32": times(two, 1.8, 32),
        f"column {three} / 100": times(three, 0.01),
        f"columns {one} and {three} exchanged": exchanged(one, three),
        "columns reversed": only_x(lambda x: x[:, ::-1].copy()),
    }


def table(name):
    if name == "cancer":
        x, y = load_breast_cancer(return_X_y=True)
        sizes, build = (280, 140, 149), dense(1, "sigmoid", "binary_crossentropy")
    elif name == "digit rows":
        x, y = load_digits(return_X_y=True)
        x = x[:, 2:62]
        sizes, build = (900, 400, 497), dense(10, "softmax", "sparse_categorical_crossentropy")
    elif name == "diabetes":
        x, y = load_diabetes(return_X_y=True, scaled=False)
        y = y / 100
        sizes, build = (200, 120, 122), dense(1, None, "mse")
    else:
        x, y = boston_housing_data()
        y = y / 10
        sizes, build = (240, 130, 136), dense(1, None, "mae")
    x = x.astype("float32")
    return Task(
        x, y.astype("float32" if y.dtype.kind == "f" else "int32"), sizes, build, columns(x)
    )


def pictures(number):
    x, y = fashion_mnist()
    chosen = np.random.default_rng(0).permutation(len(x))[:number]
    return (x[chosen] / 255.0).astype("float32"), y[chosen]


def labels():
    """Two garments side by side: each of the ten classes is a label of its own."""
    x, y = pictures(9000)
    both = np.concatenate([x[0::2, ::2, ::2], x[1::2, ::2, ::2]], axis=2)
    y = np.maximum(np.eye(10)[y[0::2]], np.eye(10)[y[1::2]]).astype("float32")

    def build(x):
        model = network(x.shape[1:], layers.Dense(10, "sigmoid"))
        model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
        return model

    return Task(both, y, (2500, 800, 1200), build, IMAGES)


def network(shape, head):
    return keras.Sequential(
        [
            keras.Input(shape, name="input"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, "relu"),
            head,
        ]
    )


def two_inputs():
    """The upper and the lower half of a garment, and two outputs: its class, and its brightness."""
    x, y = pictures(5000)
    inputs = {"upper": x[:, :14], "lower": x[:, 14:]}
    outputs = {"kind": y.astype("int32"), "light": x.mean(axis=(1, 2, 3))[:, None] * 4}

    def build(x):
        halves = [keras.Input((14, 28, 1), name=name) for name in x]
        parts = [layers.Flatten()(layers.Conv2D(8, 3, strides=2)(half)) for half in halves]
        hidden = layers.Dense(64, "relu")(layers.Concatenate()(parts))
        kind = layers.Dense(10, "softmax", name="kind")(hidden)
        light = layers.Dense(1, name="light")(hidden)
        model = keras.Model(dict(zip(x, halves, strict=True)), {"kind": kind, "light": light})
        losses = {"kind": "sparse_categorical_crossentropy", "light": "mse"}
        model.compile(keras.optimizers.Adam(0.003), losses)
        return model

    return Task(inputs, outputs, (3000, 800, 1200), build, IMAGES, "lower")


def masks():
    """Which pixels are of the garment, in garments with noise on a bright ground."""
    x, _ = pictures(2400)
    y = (x > 0.1).astype("float32")
    rng = np.random.default_rng(0)
    x = (0.2 + 0.6 * x + rng.normal(0, 0.15, x.shape)).astype("float32")

    def build(x):
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:], name="input"),
                layers.Conv2D(12, 5, padding="same", activation="relu"),
                layers.Conv2D(12, 5, padding="same", activation="relu"),
                layers.Conv2D(1, 1, activation="sigmoid"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
        return model

    changes = {
        "darker x .5": IMAGES["darker x .5"],
        "noise": noisier,
        "inverted": IMAGES["inverted"],
        "moved against masks": only_x(lambda x: np.roll(x, 3, axis=2)),
        "mirrored against masks": IMAGES["mirrored"],
        "mirrored with masks": mirrored_with_masks,
    }
    return Task(x, y, (1200, 500, 700), build, changes)


def series():
    """Lines of photos: the next four pixels after 24."""
    photos = [
        color.rgb2gray(data.astronaut()),
        data.camera() / 255,
        data.moon() / 255,
        data.coins() / 255,
    ]
    rng, x = np.random.default_rng(0), []
    for _ in range(5000):
        photo = photos[rng.integers(len(photos))]
        row, start = rng.integers(photo.shape[0]), rng.integers(photo.shape[1] - 56)
        x.append(photo[row, start : start + 56 : 2])
    x = np.array(x, "float32")

    def build(x):
        model = keras.Sequential(
            [
                keras.Input((24, 1), name="input"),
                layers.Conv1D(16, 5, activation="relu"),
                layers.Flatten(),
                layers.Dense(32, "relu"),
                layers.Dense(4),
            ]
        )
        model.compile(keras.optimizers.Adam(0.003), "mae")
        return model

    changes = {
        "x 255": times(0, 255.0),
        "+ .5": times(0, 1.0, 0.5),
        "sign": times(0, -1.0),
        "backwards": only_x(lambda x: x[:, ::-1].copy()),
        "delayed by 2": only_x(lambda x: np.roll(x, 2, axis=1)),
    }
    return Task(x[:, :24, None], x[:, 24:], (2500, 800, 1500), build, changes)


TASKS = {
    "cancer": lambda: table("cancer"),
    "digit rows": lambda: table("digit rows"),
    "diabetes": lambda: table("diabetes"),
    "housing": lambda: table("housing"),
    "labels": labels,
    "two inputs": two_inputs,
    "masks": masks,
    "series": series,
}


def run(name, task, change, seed):
    """Runs a fit with a change of validation; returns its row."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(keras.tree.flatten(task.x)[0]))
    ends = np.cumsum(task.sizes)
    parts = [
        (each(task.x, lambda a, r=r: a[r]), each(task.y, lambda a, r=r: a[r]))
        for r in (order[end - size : end] for size, end in zip(task.sizes, ends, strict=True))
    ]
    train, validation, other = parts

    def changed(x, y):
        if not change:
            return x, y
        if isinstance(x, dict):
            one, y = task.changes[change](x[task.changed], y, rng)
            return {**x, task.changed: one}, y
        return task.changes[change](x, y, rng)

    keras.utils.set_random_seed(seed)
    model = task.build(train[0])
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore", on_mismatch="ignore")
    wrong, bad = changed(*validation), changed(*other)
    options = {"epochs": EPOCHS, "batch_size": 32, "verbose": 0}
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*train, validation_data=wrong, callbacks=[guard], **options)
    seconds = time.process_time() - start
    classes = isinstance(task.y, np.ndarray) and task.y.dtype.kind == "i" and task.y.ndim == 1

    def worth(x, y):
        """The accuracy, or the loss with a minus sign."""
        if not classes:
            return -float(model.evaluate(x, y, verbose=0, return_dict=True)["loss"])
        p = model.predict(x, verbose=0)
        p = p[:, 0] > 0.5 if p.shape[1] == 1 else p.argmax(axis=1)
        return float((p == y).mean())

    now, best = worth(*bad), worth(*other)
    unit = 1.0 if classes else -now
    found = [f for f in guard.report.findings if f.matters]
    worst = max((f for f in found if f.cost is not None), key=lambda f: f.cost, default=None)
    kept = None
    if worst is not None and worst.repair is not None:
        x, y = bad
        fed = x[task.changed] if isinstance(x, dict) else x
        fixed = keras.ops.convert_to_numpy(worst.repair(fed))
        x = {**x, task.changed: fixed} if isinstance(x, dict) else fixed
        kept = (worth(x, y) - now) / unit
    return {
        "task": name,
        "change": change,
        "seed": seed,
        "lost": (best - now) / unit,
        "alarm": bool(found),
        "cost": worst and worst.cost,
        "interval": worst and worst.cost_interval,
        "metric": worst and worst.metric,
        "kept": kept,
        "words": (worst or found[0]).explanation[:110] if found else "",
        "open": [f.cost_words for f in guard.report.findings][:1],
        "seconds": seconds,
    }


def line(row):
    def percent(value):
        return "   -  " if value is None else f"{100 * value:6.1f}"

    low = None if row["interval"] is None else row["interval"][0]
    return (
        f"{row['task']:11}{row['change'] or '-':32}{row['seed']}  lost {percent(row['lost'])}  "
        f"{'ALARM' if row['alarm'] else '     '} {percent(row['cost'])} from {percent(low)}  kept "
        f"{percent(row['kept'])}  {row['words'] or row['open']}"
    )


def summary(rows):
    print(f"\n{len(rows)} fits")
    right = [row for row in rows if not row["change"]]
    costly = [row for row in rows if row["change"] and row["lost"] >= COSTLY]
    cheap = [row for row in rows if row["change"] and row["lost"] < 0.005]
    promised = [row for row in rows if row["alarm"] and row["kept"] is not None]
    kept = [row["kept"] >= row["interval"][0] for row in promised]
    for words, alarms in (
        ("right pipelines, alarmed", [row["alarm"] for row in right]),
        ("changes that cost less than half a percent, alarmed", [row["alarm"] for row in cheap]),
        ("changes that cost 2 percent or more, alarmed", [row["alarm"] for row in costly]),
        ("repairs that win back the lower end of their promise, elsewhere", kept),
        ("repairs that make it worse, elsewhere", [row["kept"] < 0 for row in promised]),
    ):
        print(f"  {words:66}{sum(alarms)} of {len(alarms)}")
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in costly if row["task"] == task]
        print(f"    {task:20}{sum(row['alarm'] for row in mine)} of {len(mine)} costly changes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--save", help="a file that gets one line of JSON for each row")
    parser.add_argument("--small", action="store_true", help="a few rows, to see that it runs")
    options = parser.parse_args()
    rows = []
    for name in options.tasks[:1] if options.small else options.tasks:
        task = TASKS[name]()
        for change in [None, *task.changes][: 2 if options.small else None]:
            for seed in options.seeds:
                rows.append(run(name, task, change, seed))
                print(line(rows[-1]), flush=True)
                if options.save:
                    with open(options.save, "a") as file:
                        file.write(json.dumps(rows[-1], default=float) + "\n")
    summary(rows)


if __name__ == "__main__":
    main()
