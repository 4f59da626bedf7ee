"""Corrupted copies of labelled samples: they show how accurate a model is at a given confidence."""

from collections.abc import Iterator

import keras
import numpy as np

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.explain.style_search import Style
from keras_shiftguard.statistics.batch import spec_for

# Operations of `Bank`, and their strengths. Each operation is one family of corruptions:
# `estimate_accuracy` measures its error on each family after calibrating on all others.
OPERATIONS = (
    *("darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down", "haze"),
    *("blur", "motion_blur", "noise", "impulse", "resolution", "blocking"),
    *("shift_right", "zoom_in", "rotation", "erasing"),
)
STRENGTHS = (0.08, 0.2, 0.45)
# Strengths for samples that are not images: noise, drift, lost columns and scaling.
LEVELS = (0.25, 0.75, 1.5)
SEED = 23


def corrupted_copies(samples: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields corrupted copies of samples, each with the name of its family.

    It yields nothing for integers, unless they are images of at least 8 pixels a side.

    Args:
        samples: `(samples, ...)`. Images are 4D, in the layout of Keras.
    """
    spec = spec_for("input", samples.shape, keras.config.image_data_format(), str(samples.dtype))
    if samples.ndim == 4 and spec is not None and min(s or 0 for s in spec.size) >= 8:
        yield from _of_images(samples)
    elif np.issubdtype(samples.dtype, np.floating):
        yield from _of_numbers(samples)


def _of_images(images: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    data_format = keras.config.image_data_format()
    axes = (0, 2, 3) if data_format == "channels_first" else (0, 1, 2)
    low, high = (f(images, axis=axes).astype("float32") for f in (np.min, np.max))
    low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    bank = Bank(OPERATIONS, data_format)
    for operation in OPERATIONS:
        for strength in STRENGTHS:
            style = Style(operation, strength, 1.0, bank, low, high)
            yield operation, np.concatenate(style.apply(images))


def _of_numbers(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(SEED)
    finite = np.isfinite(x)  # missing values may be NaN
    number = np.maximum(finite.sum(axis=0, keepdims=True), 1)
    mean = np.where(finite, x, 0.0).sum(axis=0, keepdims=True) / number
    squares = np.where(finite, x - mean, 0.0) ** 2
    std = np.sqrt(squares.sum(axis=0, keepdims=True) / number)
    for level in LEVELS:
        yield "noise", (x + level * std * rng.normal(size=x.shape)).astype(x.dtype)
        drift = level * std * rng.normal(size=(1, *x.shape[1:]))
        yield "drift", (x + drift).astype(x.dtype)
        lost = rng.random((1, *x.shape[1:])) < level / 3
        yield "lost", np.where(lost, mean, x).astype(x.dtype)
        yield "scale", (mean + (x - mean) * np.exp(-level)).astype(x.dtype)
        yield "scale", (mean + (x - mean) * np.exp(level)).astype(x.dtype)
