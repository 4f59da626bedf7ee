"""Domain adaptation from MNIST to UCI digits, without a single UCI label.

    python examples/adapt_digits.py

The same small network is trained on MNIST twice: alone, and together with unlabelled UCI
digits, whose features are made to look like MNIST's. It takes a few minutes on a CPU.
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

# This model wraps the network. Its `fit` takes the target as well, and never uses target labels.
# The result, `adapted_model`, is the plain network again.
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
print(model.alignment)  # how well it works, as far as can be seen without labels

SHADES = " .:-=+*#%@"


def picture(images):
    """Returns images side by side, drawn in characters."""
    rows = np.concatenate([image[2:26:2, 4:24, 0] for image in images], axis=1)
    return "\n".join("".join(SHADES[int(9 * v)] for v in np.clip(row, 0, 1)) for row in rows)


predicted = [m.predict(test, verbose=0).argmax(axis=1) for m in (alone, model.adapted_model)]
repaired = np.flatnonzero((predicted[0] != answers) & (predicted[1] == answers))[:4]
if len(repaired):
    print(f"\nRead rightly only after adaptation:\n{picture(test[repaired])}")
    print("   ".join(f"{predicted[0][i]} -> {predicted[1][i]}" for i in repaired))
before, after = (float(np.mean(answer == answers)) for answer in predicted)
print(f"\nOn {len(answers)} digits that neither saw: {before:.1%} trained on MNIST alone, ", end="")
print(f"{after:.1%} adapted without labels (Keras {keras.__version__}).")
