"""Is the model fed what it was trained on? Asked once, without training and without labels.

    python examples/diagnose.py

The network is EfficientNet-Lite0 with its ImageNet weights, the photos are twenty of
ImageNet. The tutorial that you followed said `x / 255`.
"""

import sys

import lite0
import numpy as np
from photos import imagenet_photos

import keras_shiftguard as sg

SMALL = "--small" in sys.argv

# A model that somebody else trained, and images as your own pipeline makes them.
model = lite0.build()
photos, labels = imagenet_photos()
if SMALL:
    photos, labels = photos[:8], labels[:8]
images = photos.astype("float32") / 255

# Ask. The labels are not needed: what the model expects is read off its structure and its
# batch normalisation, what it is fed off the images.
diagnosis = sg.diagnose(model, images)
print(diagnosis)

# A program reads the same from attributes.
print(f"\nstatus {diagnosis.status!r}, to paste: {diagnosis.advice}")

# Repair it in one of three ways: paste the advice into the pipeline (best), put the layer
# `diagnosis.fix` in front, or take the repaired model. It saves and loads without this package.
repaired = diagnosis.apply(model) if diagnosis.fix is not None else model


def accuracy(network):
    return float(np.mean(network.predict(images, verbose=0).argmax(axis=1) == labels))


# Does it matter? These photos have labels, so it can be told.
print(f"\nOf {len(images)} photos right: {accuracy(model):.0%} as fed, ", end="")
print(f"{accuracy(repaired):.0%} repaired.")
