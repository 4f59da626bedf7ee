"""A model file with an attached profile, from which `diagnose` detects wrong input in serving.

    python examples/remember.py

A network for digits is trained on images in [-1, 1]. It has no batch normalization, so its weights
do not reveal this range. `ShiftGuard(attach_to=)` attaches the profile of the training data to the
model file. In serving, the model is fed 0..255. `diagnose` reads the profile and names the mistake.
"""

import sys
import tempfile
from pathlib import Path

import keras
from digits import mnist

import keras_shiftguard as sg

SMALL = "--small" in sys.argv

x, y = mnist()
train, test = 2 * x[:4000] - 1, 255 * x[4000:]  # in serving, PNG files are read as 0..255
layers = keras.layers
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="tanh"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
path = Path(tempfile.mkdtemp()) / "best.keras"
save = keras.callbacks.ModelCheckpoint(path, monitor="val_accuracy", save_best_only=True)
guard = sg.ShiftGuard(attach_to=path)
epochs = 1 if SMALL else 5
model.fit(train, y[:4000], validation_split=0.1, epochs=epochs, callbacks=[save, guard], verbose=0)

# Later, on another machine, the model file alone says how the images were scaled. From a shell:
#     keras-shiftguard diagnose best.keras photos/
diagnosis = sg.diagnose(path, test)
print(f"\n{diagnosis}\n")
served = keras.saving.load_model(path)
repaired = diagnosis.apply(served)
repaired.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
accuracies = [m.evaluate(test, y[4000:], verbose=0)[1] for m in (served, repaired)]
print("accuracy served wrongly {:.1%}, with the fix {:.1%}".format(*accuracies))
