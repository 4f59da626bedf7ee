"""The shifts of "Failing Loudly" on Fashion-MNIST, without the adversarial ones.

They are implemented from the paper (Rabanser, Guennemann, Lipton, "Failing Loudly: An Empirical
Study of Methods for Detecting Dataset Shift", NeurIPS 2019, arXiv 1810.11953) and its published
settings:

    gn/<strength>/<share>     Gaussian noise of sigma 1, 10, 100 (of 255), clipped
    img/<strength>/<share>    random rotation (10, 40, 90 degrees), shift (.05, .2,
                              .4), shear (.1, .2, .3 degrees), zoom (.1, .2, .4),
                              flips (none, horizontal, both), nearest fill
    ko/<removed>              class 0 loses 10, 50, 100 % of its samples
    img+ko/<share>/<removed>  the medium `img` on a share, and class 0 knocked out

Each shift `gn` and `img` hits 10, 50 or 100 % of the samples. Of the 70,000 images (Debian's
`dataset-fashion-mnist`), 20,000 train the classifier. Each draw splits the other 50,000 again:
10,000 are the reference, and the test samples come from the rest. The first n samples of a draw
are its test set of size n, and exactly the given share of them is corrupted. A draw depends only
on its number, so all methods see the same samples. This file needs NumPy; corrupting the images
also needs SciPy.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NUM_TRAIN, NUM_HELD_OUT, NUM_REFERENCE = 20_000, 50_000, 10_000
SIZES = (10, 20, 50, 100, 200, 500, 1000, 10_000)
SHARES = (0.1, 0.5, 1.0)
STRENGTHS = ("small", "medium", "large")
KNOCKED_OUT = 0
NOISE = {"small": 1.0, "medium": 10.0, "large": 100.0}  # of 255
# rotation in degrees, shift as a share of the image, shear in degrees, zoom,
# horizontal flip, vertical flip
IMAGE = {
    "small": (10, 0.05, 0.1, 0.1, False, False),
    "medium": (40, 0.2, 0.2, 0.2, True, False),
    "large": (90, 0.4, 0.3, 0.4, True, True),
}
CORRUPTIONS = ("clean", *(f"gn-{s}" for s in STRENGTHS), *(f"img-{s}" for s in STRENGTHS))


@dataclass(frozen=True)
class Shift:
    """One shift: a corruption, the share of samples that it hits, the removed share of class 0."""

    name: str
    corruption: str = "clean"
    share: float = 0.0
    removed: float = 0.0

    @property
    def kind(self):
        return self.name.split("/")[0]


NO_SHIFT = Shift("none")


def all_shifts():
    """Returns the 30 shifts by name."""
    shifts = [
        Shift(f"{kind}/{strength}/{share:g}", f"{kind}-{strength}", share)
        for kind in ("gn", "img")
        for strength in STRENGTHS
        for share in SHARES
    ]
    shifts += [Shift(f"ko/{removed:g}", removed=removed) for removed in SHARES]
    shifts += [
        Shift(f"img+ko/{share:g}/{removed:g}", "img-medium", share, removed)
        for share in SHARES
        for removed in SHARES
    ]
    return {shift.name: shift for shift in shifts}


def draw(shift, number, labels, size=SIZES[-1]):
    """Returns the samples of one draw.

    Args:
        shift: A `Shift`.
        number: Number of the draw, which seeds all random choices.
        labels: Labels of the held-out images, `(NUM_HELD_OUT,)`.
        size: Number of samples wanted.

    Returns:
        reference `(NUM_REFERENCE,)`, test `(size,)`: indices into the held-out
        images; and corrupted `(size,)` bool: which test samples are corrupted.
    """
    rng = np.random.default_rng([1810, 11953, number])
    order = rng.permutation(NUM_HELD_OUT)
    reference, rest = order[:NUM_REFERENCE], order[NUM_REFERENCE:]
    members = np.flatnonzero(labels[rest] == KNOCKED_OUT)
    gone = rng.permutation(members)[: int(np.ceil(shift.removed * len(members)))]
    test = np.delete(rest, gone)[:size]
    corrupted = np.diff(np.ceil(np.arange(size + 1) * shift.share - 1e-9)) > 0
    return reference, test, corrupted


def images_and_labels():
    """Returns all 70,000 images and labels in one fixed random order.

    Images are `(70000, 28, 28, 1)` float32 in 0..1, labels `(70000,)`.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from fashion import fashion_mnist

    images, labels = fashion_mnist()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order].astype("float32") / 255, labels[order]


def corrupt(images, corruption):
    """Returns the images with one corruption; each image has random numbers of its own."""
    rng = np.random.default_rng([1, CORRUPTIONS.index(corruption)])
    if corruption == "clean":
        return images
    kind, strength = corruption.split("-")
    if kind == "gn":
        noise = rng.normal(0, NOISE[strength] / 255, images.shape)
        return np.clip(images + noise, 0, 1).astype("float32")
    return np.stack([_transformed(image, IMAGE[strength], rng) for image in images])


def _transformed(image, settings, rng):
    """Returns the image after a random affine map, as Keras's ImageDataGenerator draws it."""
    from scipy.ndimage import affine_transform

    rotation, shift, shear, zoom, horizontal, vertical = settings
    height, width, _ = image.shape
    turn, slant = np.deg2rad(rng.uniform(-1, 1, 2) * (rotation, shear))
    down, right = rng.uniform(-shift, shift, 2) * (height, width)
    stretch = np.diag(rng.uniform(1 - zoom, 1 + zoom, 2))
    turning = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    slanting = np.array([[1, -np.sin(slant)], [0, np.cos(slant)]])
    matrix = turning @ slanting @ stretch
    centre = np.array([height, width]) / 2 - 0.5
    offset = turning @ (down, right) + centre - matrix @ centre
    moved = affine_transform(image[..., 0], matrix, offset, order=1, mode="nearest")
    if horizontal and rng.random() < 0.5:
        moved = moved[:, ::-1]
    if vertical and rng.random() < 0.5:
        moved = moved[::-1]
    return moved[..., None]
