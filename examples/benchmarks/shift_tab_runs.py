"""Writes runs of any size for the Shift tab, without a fit, with the package's own writer.

    python examples/benchmarks/shift_tab_runs.py logs/tab --features 1000 --epochs 200 --runs 4
    tensorboard --logdir logs/tab

The data are random numbers, 300 samples an epoch. In validation, the mean of column 1 drifts
slowly, the mean of column 3 jumps after half of the epochs, column 5 varies more, and the classes 0
and 1 are rare. `--adaptation` adds what a fit with `adapt=True` would write.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab import ShiftEvents
from keras_shiftguard.profiles import FeatureTable, InputProfile, InputSummary, Moments
from keras_shiftguard.profiles.features import COARSE_PER_SIGN, COARSENING, FINE_FEATURES, num_bins
from keras_shiftguard.profiles.grid import BINS_PER_SIGN, LOG_GAMMA, NUM_BINS, SMALLEST
from keras_shiftguard.profiles.labels import MAX_CLASSES, LabelSummary

SAMPLES = 300


def moments(x):
    mean = x.mean(axis=0)
    return Moments(np.full(mean.shape, len(x)), mean, ((x - mean) ** 2).sum(axis=0))


def table(x):
    """Returns a feature table of the columns of `x`, on the package's grid of bins."""
    bins = num_bins(x.shape[1])
    step = np.floor(np.log(np.maximum(np.abs(x), SMALLEST / 2) / SMALLEST) / LOG_GAMMA)
    step, middle = np.clip(step, -1, BINS_PER_SIGN - 1) + 1, BINS_PER_SIGN
    if x.shape[1] > FINE_FEATURES:
        step, middle = np.ceil(step / COARSENING), COARSE_PER_SIGN
    index = (middle + np.sign(x) * step).astype(int) + np.arange(x.shape[1]) * bins
    counts = np.bincount(index.ravel(), minlength=bins * x.shape[1]).reshape(-1, bins)
    return FeatureTable(tuple(map(str, range(x.shape[1]))), len(x), moments(x), counts)


def profile(x, labels):
    columns = table(x)
    counts = np.zeros((1, NUM_BINS), "int64")
    summary = InputSummary(
        layout="features",
        num_samples=len(x),
        nonfinite_samples=0,
        channels=columns.moments,
        minimum=x.min(axis=0),
        maximum=x.max(axis=0),
        counts=counts,
        sample_mean=moments(x.mean(axis=1)),
        sample_std=moments(x.std(axis=1)),
        lattice_hits=np.full(7, -1),
        lattice_values=0,
        smallest_size=(0, 0),
        largest_size=(0, 0),
        features=columns,
    )
    classes = np.bincount(labels, minlength=MAX_CLASSES)
    return InputProfile({"input": summary}, labels=LabelSummary(len(x), len(x), classes, 1))


def write_run(log_dir, num_features, num_epochs, seed, adaptation=False):
    """Writes one run to `<log_dir>/shiftguard`."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(size=num_features))
    monitor = ShiftMonitor(0.05, [("validation", "train"), ("train", "the first epoch")])
    first = None
    with EventWriter(log_dir) as writer:
        events = ShiftEvents(writer, "0.1.0")
        events.write_diagnosis(0, "train", diagnosis())
        for epoch in range(num_epochs):
            train = profile(
                rng.normal(size=(SAMPLES, num_features)) * scale, rng.integers(0, 10, SAMPLES)
            )
            x = rng.normal(size=(SAMPLES, num_features))
            x[:, 1 % num_features] += 2 * epoch / num_epochs
            x[:, 3 % num_features] += 1.5 * (epoch >= num_epochs // 2)
            x[:, 5 % num_features] *= 1.7
            rare = rng.integers(0, 10, SAMPLES)
            rare = np.where((rare < 2) & (rng.random(SAMPLES) < 0.8), 9, rare)
            validation = profile(x * scale, rare)
            first = first or train
            monitor.compare("validation", "train", validation, train, epoch + 1)
            if train is not first:
                monitor.compare("train", "the first epoch", train, first, epoch + 1)
            streams = {"train": train, "validation": validation}
            events.write_comparison(epoch, monitor.pairs, streams, monitor.report())
            if adaptation:
                write_adaptation(writer, epoch, num_epochs)
            writer.flush()
            done = 1 - np.exp(-3 * (epoch + 1) / num_epochs)
            logs = {"accuracy": 0.5 + 0.45 * done, "val_accuracy": 0.5 + 0.4 * done}
            events.write_curves(epoch, {**logs, "loss": 1.5 - done, "val_loss": 1.6 - done})


def diagnosis():
    def convention(mode, scale, offset):
        return {"mode": mode, "channel_order": "rgb", "scale": [scale] * 3, "offset": [offset] * 3}

    return {
        "status": "mismatch",
        "expected": convention("tf", 1 / 127.5, -1.0),
        "observed": convention("unit", 1 / 255, 0.0),
        "fix": {"scale": [2.0], "offset": [-1.0], "permutation": None},
        "advice": "x = x * 2.0 - 1.0",
        "evidence": [
            "The model's first batch-norm layers remember how its training images were prepared."
        ],
        "architecture": None,
        "hints": [],
        "by_input": {},
        "num_samples": 32,
        "value_range": [0.0, 1.0],
    }


def write_adaptation(writer, epoch, num_epochs):
    done = (epoch + 1) / num_epochs
    values = {
        "strength/brightness": 0.3 * min(1, 2 * done),
        "strength/noise": 0.1 * max(0.0, done - 0.3),
        "shift_before/brightness": 1.5,
        "shift_before/noise": 0.8,
        "shift/brightness": 1.5 - done,
        "shift/noise": 0.8 - 0.5 * done,
        "alignment_loss": 1.0 / (1 + 5 * done),
        "domain_accuracy": 0.95 - 0.4 * done,
        "domain_chance": 0.5,
        "class_frequency/0": 0.1 - 0.08 * done,
        "class_frequency/9": 0.1 + 0.08 * done,
    }
    for name, value in values.items():
        writer.write_scalar(f"shiftguard/adaptation/{name}", value, epoch + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="log directory; runs of the same name are replaced")
    parser.add_argument("--features", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--adaptation", action="store_true")
    args = parser.parse_args()
    for number in range(args.runs):
        log_dir = args.out / f"run{number + 1}"
        shutil.rmtree(log_dir, ignore_errors=True)
        write_run(log_dir, args.features, args.epochs, number, args.adaptation)
        size = sum(file.stat().st_size for file in log_dir.rglob("*") if file.is_file())
        print(f"{log_dir}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
