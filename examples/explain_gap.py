"""Why is my accuracy lower? The gap as a table that adds up.

    python examples/explain_gap.py

A network reads MNIST's digits. An office that installed it scans darker, forgot nothing else,
and gets many more of the digits 8 and 9 than MNIST has; its program also feeds 0..255 where
the network was trained on [0, 1].
"""

import sys

import numpy as np
from digits import mnist, network

import keras_shiftguard as sg

SMALL = "--small" in sys.argv
EPOCHS, TRAIN, COUNT = (1, 1000, 400) if SMALL else (8, 2500, 1200)

x, y = mnist()
model = network()
model.fit(x[:TRAIN], y[:TRAIN], epochs=EPOCHS, verbose=0)

# What is known from the laboratory: labelled data that the network did not see. A profile made
# with the model and labels keeps all that is needed of it, in a file that holds no images.
reference = (x[2500:3700], y[2500:3700])

# What the office measured. Every part of this is put in here, so it is known what is true.
images, labels = x[3700:], y[3700:]
rare = labels < 8
keep = np.random.default_rng(1).random(len(labels)) < np.where(rare, 0.5, 1.0)
images, labels = images[keep][:COUNT], labels[keep][:COUNT]
fed = np.round(255 * 0.55 * images)

# Each cause is taken away and the model asked again, in every combination, so that the parts
# do not depend on the order. What cannot be taken away is "explained by", an estimate.
report = sg.explain_gap(model, (fed, labels), reference)
print(report)

# A program reads rows.
print()
for row in report.rows:
    low, high = row.interval
    print(f"{row.cause:<18}{100 * row.points:6.1f} points  [{100 * low:.1f}, {100 * high:.1f}]")
print(f"{'together':<18}{100 * sum(row.points for row in report.rows):6.1f}, the gap ", end="")
print(f"{100 * report.gap:.1f}")
