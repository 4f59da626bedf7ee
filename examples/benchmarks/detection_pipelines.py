"""Faulty input pipelines: nine mistakes in real training runs.

    python examples/benchmarks/detection_pipelines.py --runs 3 --right 20

Each run draws new samples, trains a small network for three epochs with ShiftGuard and reads
`guard.report`. Photos are random crops of the twenty labelled photos that come with foolbox,
five classes of four photos each, resized. Fashion is Fashion-MNIST. "found" means that the
report has an alarm (a finding with `matters`). "named" means that the first alarm says what is
wrong. "since" holds the epochs in which this alarm began. Faults marked "from epoch 2" start in
epoch 2. Right pipelines are the same runs without a fault, so any alarm is false.
"""

import argparse
import collections
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
from fashion import fashion_mnist
from photos import imagenet_files
from PIL import Image

import keras_shiftguard as sg

EPOCHS, BATCH = 3, 64
SIZE = 48  # height and width of the photo crops in pixels, after resizing
TRAIN, VALIDATION = 1200, 400


class Photos:
    """Random crops of real photos, RGB, 0..255; each class is a group of photos."""

    shape, classes = (SIZE, SIZE, 3), 5

    def __init__(self):
        self.images = [Image.open(file).convert("RGB") for file in imagenet_files()]

    def draw(self, rng, n, resize="bilinear", labels=None, size=SIZE):
        filters = {"bilinear": Image.Resampling.BILINEAR, "nearest": Image.Resampling.NEAREST}
        if labels is None:
            labels = rng.integers(0, self.classes, n)
        out = []
        for label in labels:
            image = self.images[label + self.classes * rng.integers(4)]
            side = rng.integers(100, 200)
            x, y = (rng.integers(0, length - side + 1) for length in image.size)
            box = (x, y, x + side, y + side)
            out.append(np.asarray(image.resize((size, size), filters[resize], box=box)))
        return np.stack(out).astype("float32"), np.asarray(labels)


class Fashion:
    """Fashion-MNIST, 28 x 28, enlarged to 40 x 40 so that a resize filter is used."""

    shape, classes = (40, 40, 1), 10

    def __init__(self):
        self.images, self.labels = fashion_mnist()
        self.by_class = [np.flatnonzero(self.labels == c) for c in range(self.classes)]

    def draw(self, rng, n, resize="bilinear", labels=None):
        if labels is None:
            labels = rng.integers(0, self.classes, n)
        index = [rng.choice(self.by_class[c]) for c in labels]
        filters = {"bilinear": Image.Resampling.BILINEAR, "nearest": Image.Resampling.NEAREST}
        images = [
            np.asarray(Image.fromarray(self.images[i, ..., 0]).resize((40, 40), filters[resize]))
            for i in index
        ]
        return np.stack(images)[..., None].astype("float32"), np.asarray(labels)


class Batches(keras.utils.PyDataset):
    """Samples in batches; `change` is applied to each batch from epoch `start` on."""

    def __init__(self, x, y, change=None, start=1, shuffle=False, seed=0):
        super().__init__()
        self.x, self.y, self.change, self.start = x, y, change, start
        self.epoch, self.rng = 1, np.random.default_rng(seed)
        self.order = np.arange(len(x))
        self.shuffle = shuffle

    def __len__(self):
        return -(-len(self.x) // BATCH)

    def __getitem__(self, i):
        rows = self.order[i * BATCH : (i + 1) * BATCH]
        x = self.x[rows]
        if self.change is not None and self.epoch >= self.start:
            x = self.change(x, self.rng)
        return x, self.y[rows]

    def begin(self, epoch):
        self.epoch = epoch
        if self.shuffle:
            self.rng.shuffle(self.order)


class Late(Batches):
    """One set of samples before epoch `start`, and another set from there on."""

    def __init__(self, before, after, start):
        super().__init__(*before)
        self.after, self.start = after, start

    def begin(self, epoch):
        if epoch >= self.start:
            self.x, self.y = self.after


class Epochs(keras.callbacks.Callback):
    """Passes the current epoch, counted from 1, to the data sets."""

    def __init__(self, *data):
        super().__init__()
        self.data = [one for one in data if isinstance(one, Batches)]

    def on_epoch_begin(self, epoch, logs=None):
        for one in self.data:
            one.begin(epoch + 1)


def augment(x, rng):
    """Mirrors and shifts images at random, as in most pipelines (the border is mirrored)."""
    x = np.where(rng.random(len(x))[:, None, None, None] < 0.5, x[:, :, ::-1], x)
    wide = np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), "reflect")
    height, width = x.shape[1:3]
    corners = rng.integers(0, 7, (len(x), 2))
    return np.stack(
        [one[i : i + height, j : j + width] for one, (i, j) in zip(wide, corners, strict=True)]
    )


def samples(data, rng):
    """Returns training and validation of a right pipeline, in 0..1."""
    (x, y), (vx, vy) = data.draw(rng, TRAIN), data.draw(rng, VALIDATION)
    return x / 255.0, y, vx / 255.0, vy


# Each function in `FAULTS` returns the positional and the keyword arguments of `fit`. `start` is
# the first epoch with the fault; a fault that cannot begin later ignores it.


def right(data, rng, start):
    x, y, vx, vy = samples(data, rng)
    return (x, y), {"validation_data": (vx, vy)}


def right_but_augmented(data, rng, start):
    x, y, vx, vy = samples(data, rng)
    return (Batches(x, y, augment, shuffle=True),), {"validation_data": (vx, vy)}


def changed(change):
    """Returns a fault: `change` is applied to validation from epoch `start` on."""

    def fault(data, rng, start):
        x, y, vx, vy = samples(data, rng)
        return (x, y), {"validation_data": Batches(vx, vy, change, start)}

    return fault


def nearest(data, rng, start):
    x, y, vx, vy = samples(data, rng)
    other, labels = data.draw(rng, VALIDATION, resize="nearest", labels=vy)
    late = Late((vx, vy), (other / 255.0, labels), start)
    return (x, y), {"validation_data": late}


def class_mix(data, rng, start):
    x, y, vx, vy = samples(data, rng)
    share = np.where(np.arange(data.classes) % 2 == 0, 1.0, 0.4)
    labels = rng.choice(data.classes, VALIDATION, p=share / share.sum())
    other, labels = data.draw(rng, VALIDATION, labels=labels)
    return (x, y), {"validation_data": Late((vx, vy), (other / 255.0, labels), start)}


def unshuffled_slice(data, rng, start):
    x, y = data.draw(rng, TRAIN + VALIDATION)
    order = np.argsort(y, kind="stable")
    return (x[order] / 255.0, y[order]), {"validation_split": 0.25}


def labels_shifted(data, rng, start):
    """Fault: class ids count from 1 in one file, and from 0 in the other."""
    x, y, vx, vy = samples(data, rng)
    return (x, y), {"validation_data": (vx, (vy + 1) % data.classes)}


def labels_shuffled(data, rng, start):
    """Fault: images and labels come in the orders of different file lists."""
    x, y, vx, vy = samples(data, rng)
    return (x, y), {"validation_data": (vx, rng.permutation(vy))}


def augmented_validation(data, rng, start):
    x, y, vx, vy = samples(data, rng)
    train, validation = Batches(x, y, augment, shuffle=True), Batches(vx, vy, augment, seed=1)
    return (train,), {"validation_data": validation}


FAULTS = {
    "not rescaled": (changed(lambda x, rng: x * 255.0), "x / 255 is missing"),
    "rescaled twice": (changed(lambda x, rng: x / 255.0), "divided by 255 twice"),
    "BGR in validation": (changed(lambda x, rng: x[..., ::-1]), "red and blue are swapped"),
    "nearest, not bilinear": (nearest, "family resolution"),
    "another class mix": (class_mix, "kind label"),
    "unshuffled slice": (unshuffled_slice, "kind label"),
    "augmentation left on": (augmented_validation, "augmentation is on in validation"),
    "labels shifted by one": (labels_shifted, "kind concept"),
    "labels shuffled": (labels_shuffled, "kind concept"),
    "right": (right, ""),
    "right, augmented training": (right_but_augmented, ""),
}
FROM_EPOCH_2 = ("not rescaled", "rescaled twice", "BGR in validation", "nearest, not bilinear")


def network(data):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(data.shape),
            layers.Conv2D(8, 5, strides=3, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(data.classes, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return model


def run(data, name, seed, start):
    """Returns the alarms (findings with `matters`) after one fit."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, start])
    arguments, keywords = FAULTS[name][0](data, rng, start)
    if len(arguments) == 2:
        keywords["batch_size"] = BATCH
    guard = sg.ShiftGuard(on_mismatch="ignore", on_shift="ignore", verbose=0)
    epochs = Epochs(*arguments, keywords.get("validation_data"))
    network(data).fit(*arguments, epochs=EPOCHS, verbose=0, callbacks=[epochs, guard], **keywords)
    return [finding for finding in guard.report.findings if finding.matters]


def is_named(finding, sign):
    what, _, word = sign.partition(" ")
    if what in ("family", "kind"):
        return getattr(finding, what) == word
    return sign in finding.explanation.lower()


def row(data, name, start, runs, verbose):
    found = named = 0
    since, first = collections.Counter(), collections.Counter()
    begin = time.perf_counter()
    for seed in range(runs):
        findings = run(data, name, seed, start)
        keras.backend.clear_session()
        if not findings:
            continue
        found += 1
        top = findings[0]
        named += is_named(top, FAULTS[name][1]) if FAULTS[name][1] else 0
        since[top.since] += 1
        first[f"{top.kind}/{top.family}"] += 1
        if verbose:
            print("   ", seed, *(f"{f.explanation} [{f.stream}|{f.against}]" for f in findings[:3]))
    label = name + (" (from epoch 2)" if start > 1 else "")
    epochs = ", ".join(f"{epoch}: {n}" for epoch, n in sorted(since.items()))
    says = ", ".join(f"{what} {n}" for what, n in first.most_common())
    names = "-" if name.startswith("right") else f"{named}/{runs}"
    seconds = (time.perf_counter() - begin) / max(runs, 1)
    print(
        f"{type(data).__name__.lower():8} {label:36} {found:3}/{runs:<3} {names:>6}  "
        f"{epochs:14} {seconds:5.1f}  {says}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=3, help="fits of each fault")
    parser.add_argument("--right", type=int, default=10, help="fits of each right pipeline")
    parser.add_argument("--only", default="", help="part of the names of the faults to run")
    parser.add_argument("--data", default="photos fashion")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    print(
        "data     pipeline                               found  named  since: runs      s/run  "
        "first finding"
    )
    for kind in options.data.split():
        data = {"photos": Photos, "fashion": Fashion}[kind]()
        for name in FAULTS:
            if options.only not in name or (name.startswith("BGR") and data.shape[-1] == 1):
                continue
            for start in (1, 2) if name in FROM_EPOCH_2 else (1,):
                runs = options.right if name.startswith("right") else options.runs
                row(data, name, start, runs, options.verbose)


if __name__ == "__main__":
    main()
