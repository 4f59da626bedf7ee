"""MNIST to other people's digits, without a single label of theirs.

    python examples/adapt_digits.py

The same small network is trained on MNIST twice: alone, and with unlabelled UCI digits
beside it, whose features are made to look like MNIST's. Takes a few minutes on a CPU.
"""

import sys

import keras
import numpy as np
from digits import lenet, mnist, uci

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS, TRAIN = (2, 600) if SMALL else (15, 4500)

x, y = mnist()
source, validation = (x[:TRAIN], y[:TRAIN]), (x[4500:], y[4500:])
other, answers = uci()
unlabelled, test, answers = other[:1000], other[1000:], answers[1000:]

alone = lenet()
alone.fit(*source, batch_size=100, epochs=EPOCHS, verbose=0)

# A model around the model. `fit` takes the target as well; none of its labels is ever asked
# for. What comes out, `adapted_model`, is the plain model again.
model = sg.DomainAdaptationModel(lenet(), feature_layer="features", method="auto", verbose=0)
model.compile("adam", alone.loss, metrics=["accuracy"])
model.fit(
    *source,
    target_data=unlabelled,
    validation_data=validation,
    batch_size=100,
    epochs=EPOCHS,
    verbose=0,
)
print(model.alignment)  # does it work, as far as can be told without labels

SHADES = " .:-=+*#%@"


def picture(images):
    """Images side by side, in characters."""
    rows = np.concatenate([image[2:26:2, 4:24, 0] for image in images], axis=1)
    return "\n".join("".join(SHADES[int(9 * v)] for v in np.clip(row, 0, 1)) for row in rows)


told = [m.predict(test, verbose=0).argmax(axis=1) for m in (alone, model.adapted_model)]
repaired = np.flatnonzero((told[0] != answers) & (told[1] == answers))[:4]
if len(repaired):
    print(f"\nRead rightly only after adaptation:\n{picture(test[repaired])}")
    print("   ".join(f"{told[0][i]} -> {told[1][i]}" for i in repaired))
before, after = (float(np.mean(answer == answers)) for answer in told)
print(f"\nOn {len(answers)} digits that neither saw: {before:.1%} trained on MNIST alone, ", end="")
print(f"{after:.1%} adapted without labels (Keras {keras.__version__}).")
