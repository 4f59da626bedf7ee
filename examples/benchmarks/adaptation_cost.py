"""Cost of a step of `DomainAdaptationModel`, compared with a plain step of the same size.

    python examples/benchmarks/adaptation_cost.py

The network is the larger CNN of `adaptation_data.py`. A step has 100 images of the
source and 100 of the target; the plain step has 200 of the source. AdaMatch sees two views of each
image. All kinds of step alternate in one process, so other work on the machine slows all of them
alike. The result is the median, over the rounds, of the CPU seconds of a step divided by those of
the plain step.
"""

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from adaptation_data import IMAGE, lenet

from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.io.batches import SOURCE, TARGET

METHODS = ("mmd", "coral", "dann", "cdan", "adamatch")


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model


def seconds(step, steps):
    """Returns the CPU seconds of a step."""
    start = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - start) / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=100, help="samples of each domain")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    arguments = parser.parse_args()
    n = arguments.batch
    rng = np.random.default_rng(0)
    x = rng.random((2 * n, *IMAGE), dtype="float32")
    y = rng.integers(0, 10, 2 * n)
    plain = compiled(lenet())
    models = {m: compiled(DomainAdaptationModel(lenet(), "features", m)) for m in arguments.methods}
    pair = {SOURCE: x[:n], TARGET: x[n:]}
    steps = {"plain": lambda: plain.train_on_batch(x, y)}
    for name, model in models.items():
        steps[name] = lambda model=model: model.train_on_batch(pair, y[:n])
    for step in steps.values():  # the first call traces
        seconds(step, 3)
    rows = [
        {name: seconds(step, arguments.steps) for name, step in steps.items()}
        for _ in range(arguments.rounds)
    ]
    print(f"{n} + {n} images, Keras on {keras.backend.backend()}, CPU milliseconds of a step")
    print(f"{'plain':<6} {1000 * np.median([row['plain'] for row in rows]):7.1f}")
    for name in arguments.methods:
        ratios = np.array([row[name] / row["plain"] for row in rows])
        low, high = np.percentile(ratios, [25, 75])
        print(
            f"{name:<6} {1000 * np.median([row[name] for row in rows]):7.1f}   "
            f"{np.median(ratios):.3f} times a plain step (middle half {low:.3f} to {high:.3f})"
        )


if __name__ == "__main__":
    main()
