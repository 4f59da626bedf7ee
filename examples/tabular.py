"""Columns instead of images: a second hospital reports areas in another unit.

    python examples/tabular.py

The data are thirty measurements of each of 569 biopsies (Wisconsin, in scikit-learn). The second
hospital exports areas in square centimeters, while the first hospital used square millimeters.
"""

import sys
import warnings

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS = 3 if SMALL else 30

biopsies = load_breast_cancer()
order = np.random.default_rng(0).permutation(len(biopsies.target))
rows, labels = biopsies.data[order].astype("float32"), biopsies.target[order]
area = list(biopsies.feature_names).index("mean area")


def inputs(some):
    """Returns the columns as a dict of three named inputs, with ten measurements each."""
    return {"mean": some[:, :10], "error": some[:, 10:20], "worst": some[:, 20:]}


def network():
    keras.utils.set_random_seed(0)
    named = {name: keras.Input((10,), name=name) for name in ("mean", "error", "worst")}
    x = keras.layers.Concatenate()(list(named.values()))
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Dense(16, activation="relu")(x)
    model = keras.Model(named, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


train, theirs = rows[:300], rows[300:].copy()
theirs[:, [area, area + 20]] /= 100  # the columns of the mean and the worst area

warnings.simplefilter("ignore", sg.ShiftWarning)
guard = sg.ShiftGuard(verbose=0)
model = network()
fit = model.fit(
    inputs(train),
    labels[:300],
    validation_data=(inputs(theirs), labels[300:]),
    epochs=EPOCHS,
    callbacks=[guard],
    verbose=0,
)
print(f"Accuracy {fit.history['accuracy'][-1]:.1%}, at the other hospital ", end="")
print(f"{fit.history['val_accuracy'][-1]:.1%}. Why?\n\n{guard.report}")
print(f"\nColumn {area} is {str(biopsies.feature_names[area])!r}.", end=" ")
right = model.evaluate(inputs(rows[300:]), labels[300:], verbose=0)[1]
print(f"With the areas in square millimetres: {right:.1%} at the other hospital.")
