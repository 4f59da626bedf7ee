"""The accuracy gap: why is my accuracy lower? A table whose rows add up to the gap.

    python examples/explain_gap.py

A network for MNIST's digits was trained on [0, 1]. An office has installed the network. The scans
of the office are noisy, few of its digits are 0, 1 and 6, and its program feeds 0..255.
"""

import sys

import numpy as np
from digits import mnist, network

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS, TRAIN, COUNT = (1, 1000, 300) if SMALL else (8, 2500, 1300)

x, y = mnist()
model = network(batch_norm=True)
model.fit(x[:TRAIN], y[:TRAIN], epochs=EPOCHS, verbose=0)

# The reference is labeled data of the laboratory that were not used in training. A profile that was
# made with the model and the labels (a file without images) can take the place of these data.
reference = (x[2500:3700], y[2500:3700])

# The data of the office. This script makes all of the faults, so the true causes are known.
images, labels = x[3700:], y[3700:]
rng = np.random.default_rng(0)
keep = rng.random(len(labels)) < np.where(np.isin(labels, (0, 1, 6)), 0.15, 1.0)
images, labels = images[keep][:COUNT], labels[keep][:COUNT]
noisy = np.clip(images + rng.normal(0, 0.2, images.shape), 0, 1)
fed = np.round(255 * noisy)

# Causes compete, and each is undone on samples that did not choose it. What nothing undoes is the
# rest, so the rows add up to the gap.
report = sg.explain_gap(model, (fed, labels), reference)
print(report)

# A program can read the rows of the table.
print()
for row in report.rows:
    low, high = row.interval
    print(f"{row.kind:<12}{100 * row.points:6.1f} points  [{100 * low:.1f}, {100 * high:.1f}]")
print(f"{'together':<12}{100 * sum(row.points for row in report.rows):6.1f}, the gap ", end="")
print(f"{100 * report.gap:.1f}")
