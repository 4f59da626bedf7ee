"""Stopping benchmark: which fits `ShiftGuard(on_shift="stop")` ends before their last epoch.

    KERAS_BACKEND=torch python examples/benchmarks/stopping.py

Twenty fits are healthy, each with its own seed: ten without augmentation, and ten with one of ten
kinds of augmentation. None of them may be ended. In the other fits, validation is broken, and each
must be ended. Its weights must be those at the end of its last epoch. The data are the digits of
scikit-learn. The network, the augmentations and the faults are those of `alarms.py`.
"""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import keras
import numpy as np
from alarms import LABEL_FAULTS, PIPELINES, SHIFTS, Training, draw, network, only_images

import keras_shiftguard as sg

PLAIN = ["none"] * 10
AUGMENTED = [name for name in PIPELINES if name not in ("none", "flips")]  # no mirrored digits
BROKEN = ("scaled twice", "noise 40", "blur 1.5", "three pixels down", "0 and 1 swapped")


class Weights(keras.callbacks.Callback):
    """Callback that remembers the model's weights at the end of the latest epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.latest = self.model.get_weights()


def fit(pipeline, fault, seed, epochs):
    """Runs a fit; returns its number of epochs, whether its weights were kept, and the report."""
    (x, y), (vx, vy), _ = draw("digits", seed)
    change = LABEL_FAULTS.get(fault) or only_images(SHIFTS.get(fault, lambda x, rng: x))
    vx, vy = change(vx, vy, np.random.default_rng([seed, 1]))
    keras.utils.set_random_seed(seed)
    model = network(x.shape[1:], y.shape[1])
    guard = sg.ShiftGuard(on_shift="stop", verbose=0)
    weights = Weights()
    history = model.fit(
        Training(x, y, PIPELINES[pipeline], seed),
        validation_data=(vx.astype("float32"), vy),
        epochs=epochs,
        verbose=0,
        callbacks=[guard, weights],
    )
    kept = all(map(np.array_equal, model.get_weights(), weights.latest))
    return len(history.epoch), kept, guard.report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--groups", nargs="*", default=["plain", "augmented", "broken"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    groups = {
        "plain": [(pipeline, "", seed) for seed, pipeline in enumerate(PLAIN)],
        "augmented": [(pipeline, "", 10 + i) for i, pipeline in enumerate(AUGMENTED)],
        "broken": [("none", fault, 20 + i) for i, fault in enumerate(BROKEN)]
        + [("pad-crop", fault, 30 + i) for i, fault in enumerate(BROKEN)],
    }
    summary = []
    for group in options.groups:
        start, ended, kept = time.process_time(), 0, 0
        for pipeline, fault, seed in groups[group]:
            epochs, same, report = fit(pipeline, fault, seed, options.epochs)
            keras.backend.clear_session()
            ended += epochs < options.epochs
            kept += same
            words = "".join(f"{f.feature}: {f.cost_words}" for f in report.findings[:1])
            said = f"{epochs} of {options.epochs} epochs  {words}"
            print(f"{pipeline:18}{fault:20}{said}", flush=True)
        seconds = time.process_time() - start
        number = len(groups[group])
        summary.append(
            f"{group:10}{number} fits, {ended} ended early, weights of the last epoch kept in "
            f"{kept}, {seconds:.0f} CPU seconds"
        )
    print("", *summary, sep="\n")


if __name__ == "__main__":
    main()
