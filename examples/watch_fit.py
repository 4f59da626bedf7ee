"""One callback watches three fits: two that are broken, and a healthy one with augmentation.

    python examples/watch_fit.py

1. `validation_split=0.2` takes the last fifth of the arrays, before anything is shuffled. These
   digits are sorted by class, as in many data sets on disk.
2. The validation scans are noisier than the training scans. The guard reports in one line how much
   accuracy the noise costs.
3. Training is augmented and validation is not, as it should be. The two streams differ, but the
   difference costs no accuracy, so the guard raises no alarm.
"""

import sys
import warnings

import keras
import numpy as np
from digits import mnist, network

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS = 1 if SMALL else 5
BATCH = 50


class Augmented(keras.utils.PyDataset):
    """Batches whose images are shifted by up to three pixels, at random in each epoch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.random = x, y, np.random.default_rng(0)

    def __len__(self):
        return len(self.x) // BATCH

    def __getitem__(self, i):
        rows = slice(BATCH * i, BATCH * (i + 1))
        moves = self.random.integers(-3, 4, (BATCH, 2))
        moved = [np.roll(x, move, (0, 1)) for x, move in zip(self.x[rows], moves, strict=True)]
        return np.stack(moved), self.y[rows]


# The guard only has to be in `callbacks`. With `log_dir="logs/run1"` it also writes for the Shift
# tab of TensorBoard. The guard's warning is switched off, because the report is printed below.
warnings.simplefilter("ignore", sg.ShiftWarning)


def watch(name, *data, **more):
    guard = sg.ShiftGuard(verbose=0)
    fit = network().fit(*data, epochs=EPOCHS, callbacks=[guard], verbose=0, **more)
    print(f"{name}: validation accuracy {fit.history['val_accuracy'][-1]:.1%}.\n{guard.report}")
    # `val_shift` is the largest effect of an alarm on validation, in standard deviations, or 0.
    print(f"val_shift by epoch: {[round(value, 2) for value in fit.history['val_shift']]}\n")


x, y = mnist(shuffled=False)
watch("1. Sorted by class", x, y, validation_split=0.2)

x, y = mnist(shuffled=True)
train, validation = (x[:4000], y[:4000]), (x[4000:], y[4000:])
noise = np.random.default_rng(0).normal(0, 0.5, validation[0].shape).astype("float32")
noisier = np.clip(validation[0] + noise, 0, 1)
watch("2. Noisier scans", *train, validation_data=(noisier, validation[1]))

watch("3. Augmented, as it should be", Augmented(*train), validation_data=validation)
