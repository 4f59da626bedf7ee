"""Domain adaptation between MNIST and UCI digits, in both directions, without target labels.

    python examples/adapt_digits.py

For each direction, the same small network is trained twice: on the source alone, and on the source
together with unlabelled digits of the other collection. The script takes a few minutes on a CPU.
"""

import sys

import keras
import numpy as np
from digits import lenet, mnist, uci

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS, SAMPLES = (2, 400) if SMALL else (20, 1700)
SHADES = " .:-=+*#%@"


def picture(images):
    """Returns images side by side, drawn in characters."""
    rows = np.concatenate([image[2:26:2, 4:24, 0] for image in images], axis=1)
    return "\n".join("".join(SHADES[int(9 * v)] for v in np.clip(row, 0, 1)) for row in rows)


def adapt(name, source, target):
    """Trains with and without the target, and prints both accuracies on held-out target digits."""
    (x, y), (other, answers) = source, target
    x, y = x[:SAMPLES], y[:SAMPLES]
    unlabelled, test, answers = other[:1000], other[1000:1700], answers[1000:1700]
    keras.utils.set_random_seed(0)
    alone = lenet()
    alone.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0)

    # This model wraps the network. Its `fit` takes the target as well, and never uses labels of
    # the target. The result, `adapted_model`, is the plain network with adapted weights.
    model = sg.DomainAdaptationModel(lenet(), method="auto", verbose=0)
    model.compile("adam", alone.loss, metrics=["accuracy"])
    model.fit(x, y, target_data=unlabelled, batch_size=64, epochs=EPOCHS, verbose=0)
    print(f"\n{name}\n{model.alignment}")  # a report on the alignment, made without target labels

    predicted = [m.predict(test, verbose=0).argmax(axis=1) for m in (alone, model.adapted_model)]
    repaired = np.flatnonzero((predicted[0] != answers) & (predicted[1] == answers))[:4]
    if len(repaired):
        print(f"Read rightly only after adaptation:\n{picture(test[repaired])}")
        print("   ".join(f"{predicted[0][i]} -> {predicted[1][i]}" for i in repaired))
    before, after = (float(np.mean(answer == answers)) for answer in predicted)
    print(f"On {len(answers)} digits that neither saw: {before:.1%} alone, ", end="")
    print(f"{after:.1%} adapted without labels.")


adapt("MNIST to UCI digits", mnist(), uci())
adapt("UCI digits to MNIST", uci(), mnist())
