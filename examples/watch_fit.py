"""One callback watches a fit: is the validation data like the training data?

    python examples/watch_fit.py

`validation_split=0.2` takes the last fifth of the arrays, before anything is shuffled. These
digits are sorted by class, as many data sets on disk are.
"""

import sys
import warnings

from digits import mnist, network

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS = 1 if SMALL else 5

x, y = mnist(shuffled=False)

# The guard only has to be in `callbacks`. With `log_dir="logs/run1"` it also writes for the Shift
# tab of TensorBoard. Its warning is switched off, because the report is printed below.
warnings.simplefilter("ignore", sg.ShiftWarning)
guard = sg.ShiftGuard(verbose=0)
fit = network().fit(x, y, validation_split=0.2, epochs=EPOCHS, callbacks=[guard], verbose=0)
print(f"Validation accuracy {fit.history['val_accuracy'][-1]:.1%}. The guard says why:\n")
print(guard.report)

# The logs hold the largest effect that matters in validation, for EarlyStopping or your own code.
# It is in standard deviations, and 0 if there is no such effect.
print(f"\nval_shift by epoch: {[round(value, 2) for value in fit.history['val_shift']]}")

# The same with the arrays shuffled first.
x, y = mnist(shuffled=True)
again = sg.ShiftGuard(verbose=0)
fit = network().fit(x, y, validation_split=0.2, epochs=EPOCHS, callbacks=[again], verbose=0)
print(f"\nShuffled first: validation accuracy {fit.history['val_accuracy'][-1]:.1%}.\n")
print(again.report)
