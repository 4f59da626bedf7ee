"""Cost of short fits: the CPU time that a guard adds, and the CPU time of a profile.

    python examples/benchmarks/fit_cost.py --backends tensorflow jax torch

A small network is trained on 10 batches of 64 images of 32x32 pixels, with 5 batches of
validation. Each fit has a new model: the first fit of a process and two more fits, of one epoch
each, and then a fit of 20 epochs. Processes with and without the guard alternate. Then `sg.profile`
measures 1,000 images of 28x28 pixels twice. The script prints the CPU seconds of the process with
all its threads, as medians over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

ROWS = ("first fit", "new model", "20 epochs", "profile", "profile again")


def measure(with_guard):
    """Returns the CPU seconds of each row, in this process."""
    import time

    import keras
    import numpy as np

    import keras_shiftguard as sg

    rng = np.random.default_rng(0)
    x, y = rng.random((640, 32, 32, 3), dtype="float32"), rng.integers(0, 10, 640)
    layers = keras.layers

    def cpu(function, *arguments):
        start = time.process_time()
        function(*arguments)
        return time.process_time() - start

    def fit(epochs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(10),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        guards = [sg.ShiftGuard(verbose=0, on_shift="ignore")] if with_guard else []
        data = {"batch_size": 64, "validation_data": (x[:320], y[:320])}
        return cpu(lambda: model.fit(x, y, epochs=epochs, callbacks=guards, verbose=0, **data))

    found = {"first fit": fit(1), "new model": statistics.median([fit(1), fit(1)])}
    found["20 epochs"] = fit(20)
    if with_guard:
        images = rng.random((1000, 28, 28, 1), dtype="float32")
        found["profile"] = cpu(sg.profile, images)
        found["profile again"] = cpu(sg.profile, images.copy())
    return found


def child(backend, with_guard):
    """Returns the result of `measure` in a process of its own."""
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", __file__, "--child", str(int(with_guard))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        print(json.dumps(measure(bool(args.child))))
        return
    print("| CPU s | " + " | ".join(ROWS) + " |\n|---" * 1 + "|---" * len(ROWS) + "|")
    for backend in args.backends:
        rounds = [(child(backend, False), child(backend, True)) for _ in range(args.rounds)]
        cells = []
        for row in ROWS:
            guarded = statistics.median(g[row] for _, g in rounds)
            if row not in rounds[0][0]:
                cells.append(f"{guarded:.2f}")
                continue
            plain = statistics.median(p[row] for p, _ in rounds)
            more = f"x{guarded / plain:.2f}" if row == "20 epochs" else f"{guarded - plain:+.2f}"
            cells.append(f"{plain:.2f}, guarded {guarded:.2f} ({more})")
        print(f"| {backend} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
