"""Reference profile: profile the training data once, and compare each day's data with it.

    python examples/reference_profile.py

An office reads digits, without labels. The three days are a normal day, a day on which the scanner
is too dark, and a day with the digits of other writers.
"""

import sys
import tempfile
from pathlib import Path

from digits import mnist, network, uci

import keras_shiftguard as sg

SMALL = "--small" in sys.argv

x, y = mnist()
train, labels = x[:2560], y[:2560]
model = network()
model.fit(train, labels, epochs=1 if SMALL else 5, verbose=0)

# On the training machine, one pass measures the data. With `model=`, the profile also holds
# statistics of the model's predictions and of the activations of one layer. The file holds counts
# and moments, no images. The size of the file does not depend on the number of images.
folder = Path(tempfile.mkdtemp())
path = folder / "train.profile"
sg.profile((train, labels), model=model, feature_layer="features").save(path)
print(f"train.profile: {path.stat().st_size / 1024:.0f} KiB for {len(train)} images\n")

# In production, only the model, the file and the day's images are needed.
days = {
    "monday": x[2560:3328],
    "tuesday": 0.6 * x[3328:4096],
    "wednesday": uci()[0][:768],
}
for day, images in days.items():
    today = sg.profile(images, model=model, feature_layer="features")
    report = sg.compare(path, today)
    print(f"{day}: {'SHIFT' if report.shifted else 'no shift'}, {len(images)} images")
    for finding in report.findings[:2]:
        print(f"  {finding.kind}: {finding.explanation}")
    # Profiles add up: save one for each day, and compare a week with the year before.
    today.save(folder / f"{day}.profile")

week = sum((sg.InputProfile.load(folder / f"{day}.profile") for day in days), sg.InputProfile())
print(f"\nThe week as one profile: {week.num_samples} images. From a shell:")
print("  keras-shiftguard compare train.profile today/ || echo 'look at it'")
