"""Cost of measuring costs: what a guard adds to fits whose validation differs from training.

    KERAS_BACKEND=torch python examples/benchmarks/look_cost.py --data digits lite0 --epochs 10

Training is augmented by padding, cropping and flips, so validation differs from it in every epoch,
and the guard measures whether that costs accuracy: it runs the model on the kept images. The data
and networks are those of `alarms.py`: a small CNN on digits, and a new head on a frozen
EfficientNet-Lite0. Fits with and without a guard alternate. The script prints the CPU seconds of
the process and the wall seconds of each fit, as medians over the rounds, and the number of samples
on which the guard ran the model.
"""

import argparse
import statistics
import time
import warnings

from alarms import DATA, PIPELINES, Training, draw, head_on_lite0, network  # sets up the backend

import keras  # isort: skip

import keras_shiftguard as sg
from keras_shiftguard.callback import account_case


def fit(data, epochs, guards):
    """Returns the CPU and wall seconds of a fit."""
    (x, y), validation, _ = draw(data, seed=0)
    keras.utils.set_random_seed(0)
    model = (head_on_lite0 if data == "lite0" else network)(x.shape[1:], y.shape[1])
    training = Training(x, y, PIPELINES["pad-crop"], seed=0)
    cpu, wall = time.process_time(), time.perf_counter()
    model.fit(training, validation_data=validation, epochs=epochs, verbose=0, callbacks=guards)
    return time.process_time() - cpu, time.perf_counter() - wall


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["digits", "lite0"], choices=DATA)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    run_on = 0
    real = account_case.class_probabilities

    def counted(model, name, chunks):
        nonlocal run_on
        found = real(model, name, chunks)
        run_on += len(found)
        return found

    account_case.class_probabilities = counted
    for data in options.data:
        fit(data, 1, [])  # the first fit of a process is slower
        run_on, plain, guarded = 0, [], []
        for _ in range(options.rounds):
            plain.append(fit(data, options.epochs, []))
            guard = sg.ShiftGuard(verbose=0, on_shift="ignore", on_mismatch="ignore")
            guarded.append(fit(data, options.epochs, [guard]))
        (cpu, wall), (guard_cpu, guard_wall) = (
            (statistics.median(each) for each in zip(*times, strict=True))
            for times in (plain, guarded)
        )
        print(
            f"{data}, {options.epochs} epochs: CPU {cpu:.1f} s, guarded {guard_cpu:.1f} s "
            f"(x{guard_cpu / cpu:.2f}); wall {wall:.1f} s, guarded {guard_wall:.1f} s "
            f"(x{guard_wall / wall:.2f}); the guard ran the model on "
            f"{run_on // options.rounds:,} samples",
            flush=True,
        )


if __name__ == "__main__":
    main()
