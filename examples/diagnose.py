"""Diagnosis: is the model fed what it was trained on? No training and no labels are needed.

    python examples/diagnose.py

The network is EfficientNet-Lite0 with its ImageNet weights, and the images are twenty photos of
ImageNet. The images are divided by 255, as in many tutorials.
"""

import sys

import lite0
import numpy as np
from photos import imagenet_photos

import keras_shiftguard as sg

SMALL = "--small" in sys.argv

# The model was trained by somebody else; the images come from your own pipeline.
model = lite0.build()
photos, labels = imagenet_photos()
if SMALL:
    photos, labels = photos[:8], labels[:8]
images = photos.astype("float32") / 255

# No labels are needed. What the model expects is read from its structure and its batch
# normalization; what it is fed is read from the images.
diagnosis = sg.diagnose(model, images)
print(diagnosis)

# A program can read the same result from attributes.
print(f"\nstatus {diagnosis.status!r}, to paste: {diagnosis.advice}")

# Repair the mistake in one of three ways: paste the advice into the pipeline (best), put the layer
# `diagnosis.fix` in front of the model, or take the repaired model. The repaired model saves and
# loads without this package.
repaired = diagnosis.apply(model) if diagnosis.fix is not None else model


def accuracy(network):
    return float(np.mean(network.predict(images, verbose=0).argmax(axis=1) == labels))


# These photos have labels, so the accuracy shows what the mistake costs.
print(f"\nOf {len(images)} photos right: {accuracy(model):.0%} as fed, ", end="")
print(f"{accuracy(repaired):.0%} repaired.")
