"""Adaptive augmentation: training images become like those of an unlabelled target.

    python examples/adapt_augmentation.py

The model learns from clean digits. The target is unlabelled digits of the same kind from a worse
camera, full of noise. The same network is trained twice: without a guard, and with
`ShiftGuard(target_data=..., adapt=True)`.
"""

import sys

import numpy as np
from digits import mnist, network

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS, TRAIN = (2, 500) if SMALL else (12, 2500)


def worse_camera(images):
    """Adds noise, as a camera does in too little light."""
    noise = np.random.default_rng(0).normal(0, 0.3, images.shape)
    return np.clip(images + noise, 0, 1).astype("float32")


x, y = mnist()
train, labels = x[:TRAIN], y[:TRAIN]
unlabelled = worse_camera(x[2500:3500])
test, answers = x[3500:], y[3500:]
noisy = worse_camera(test)

plain = network()
plain.fit(train, labels, epochs=EPOCHS, verbose=0)

# After each epoch the guard compares training with the target. It strengthens the augmentation
# inside `fit` until training looks like the target, and no further. With
# `verbose=1` it prints every change with its reason.
guard = sg.ShiftGuard(target_data=unlabelled, adapt=True, on_shift="ignore", verbose=0)
adapted = network()
adapted.fit(train, labels, epochs=EPOCHS, callbacks=[guard], verbose=0)

print("Operations of the augmentation, with their strengths:")
for name, strength in guard.augmentation.strengths.items():
    if strength:
        print(f"  {name:<16} {strength:.2f}")

for name, images in (("target", noisy), ("clean digits", test)):
    before, after = (m.evaluate(images, answers, verbose=0)[1] for m in (plain, adapted))
    print(f"accuracy on {name}: {before:.1%} plain, {after:.1%} adapted")
