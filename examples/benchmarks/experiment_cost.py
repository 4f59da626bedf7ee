"""Cost of the experiments in a fit: their CPU time as a share of that of the whole fit.

    KERAS_BACKEND=torch python examples/benchmarks/experiment_cost.py --data fashion --epochs 20

A small CNN is trained with a `ShiftGuard`, behind pad-crop, on validation as it is, darker, noisy,
and with exchanged labels. The CPU seconds of `Checking.experiment`, which makes all experiments,
are compared with those of the fit.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import alarms
import keras
import numpy as np

import keras_shiftguard as sg
from keras_shiftguard.callback import spending
from keras_shiftguard.callback.checking import Checking

# Time is that of this process, so that other programs do not take it from the experiments.
spending.time = SimpleNamespace(perf_counter=time.process_time, process_time=time.process_time)
CHANGES = ("", "darker x .6", "noise 40", "0 and 1 swapped")


class Timed:
    """Counts the CPU seconds of all calls of `Checking.experiment`."""

    def __init__(self):
        self.seconds, self._update = 0.0, Checking.experiment

    def __enter__(self):
        def update(watch, *arguments, **options):
            start = time.process_time()
            try:
                return self._update(watch, *arguments, **options)
            finally:
                self.seconds += time.process_time() - start

        Checking.experiment = update
        return self

    def __exit__(self, *_):
        Checking.experiment = self._update


def cost(data, change, epochs, pipeline):
    """Returns CPU seconds of the experiments and of the fit, and whether the guard alarmed."""
    (x, y), (vx, vy), _ = alarms.draw(data, 0)
    rng = np.random.default_rng(1)
    if change in alarms.LABEL_FAULTS:
        vx, vy = alarms.LABEL_FAULTS[change](vx, vy, rng)
    elif change:
        vx = alarms.SHIFTS[change](vx, rng).astype("float32")
    keras.utils.set_random_seed(0)
    model = alarms.network(x.shape[1:], y.shape[1])
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    batches = alarms.Training(x, y, alarms.PIPELINES[pipeline], 0)
    start = time.process_time()
    with Timed() as timed:
        model.fit(batches, epochs=epochs, validation_data=(vx, vy), callbacks=[guard], verbose=0)
    return timed.seconds, time.process_time() - start, guard.report.shifted


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", default="fashion", choices=alarms.DATA)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pipeline", default="pad-crop", choices=list(alarms.PIPELINES))
    parser.add_argument("--changes", nargs="+", default=list(CHANGES))
    options = parser.parse_args()
    for change in options.changes:
        spent, whole, shifted = cost(options.data, change, options.epochs, options.pipeline)
        print(
            f"{change or 'right':20s} experiments {spent:5.1f} of {whole:6.1f} CPU seconds = "
            f"{100 * spent / whole:4.1f} %{', alarm' if shifted else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
