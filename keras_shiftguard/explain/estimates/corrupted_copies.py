"""Corrupted copies of labelled samples: they show how accurate a model is at a given confidence."""

from collections.abc import Iterator

import keras
import numpy as np

from keras_shiftguard.account.candidates.candidates import on_images
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.sketches.attributes import MIN_SIDE

# Names of operations, and strengths as shares of their limit. Each operation is one family of
# corruptions: `estimate_accuracy` measures its error on each one after calibrating on all others.
CORRUPTIONS = (
    *("darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down", "haze"),
    *("blur", "motion_blur", "noise", "impulse", "resolution", "blocking"),
    *("shift_right", "zoom_in", "rotation", "erasing"),
)
# Strengths of the corruptions of images. A convention, checked in
# `examples/benchmarks/accuracy_estimate.py`.
STRENGTHS = (0.08, 0.2, 0.45)
# Strengths for samples that are not images: noise, drift, lost columns and scaling. A convention,
# checked in `examples/benchmarks/accuracy_estimate.py`.
LEVELS = (0.25, 0.75, 1.5)


def corrupted_copies(samples: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields corrupted copies of samples, each with the name of its family.

    It yields nothing for integers, unless they are images of at least 8 pixels a side.

    Args:
        samples: `(samples, ...)`. Images are 4D, in the layout of Keras.
    """
    spec = spec_for("input", samples.shape, keras.config.image_data_format(), str(samples.dtype))
    if samples.ndim == 4 and spec is not None and min(s or 0 for s in spec.size) >= MIN_SIDE:
        yield from _of_images(samples)
    elif samples.dtype.kind == "f":
        yield from _of_numbers(samples)


def _of_images(images: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    scale = Scale.of(images, keras.config.image_data_format() == "channels_first")
    for name in CORRUPTIONS:
        operation = OPERATIONS[name]
        assert operation.apply is not None
        for strength in STRENGTHS:
            amount = operation.limit * strength
            yield name, on_images(operation.apply, amount, scale)(images)


def _of_numbers(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(3)
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
