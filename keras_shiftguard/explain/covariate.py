"""Covariate shift as a cause: the accuracy regained if the levels of the reference are restored.

Covariate shift cannot be removed exactly, since the images without the shift are not known. The
mean and deviation of each channel are set to those of the reference, which needs no labels. The
accuracy that this regains is an estimate of the cost of the shift; a small one is no evidence
against it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from keras_shiftguard.detection.causes.explanation import affine
from keras_shiftguard.explain.bootstrap import Mix
from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.profiles import InputSummary

# The channels are repaired if, for any channel, the mean moved by this many standard deviations, or
# the logarithm of the standard deviation changed by this much.
MIN_MOVE = 0.1


@dataclass(frozen=True)
class Repair:
    """A repair of covariate shift that was tried.

    Args:
        predictions: Predictions after the repair.
        detail: Description for the report.
        line: Line of Python that repairs the input.
    """

    predictions: Predictions
    detail: str
    line: str


def level_repair(
    model: keras.Model,
    chunks: Iterable[np.ndarray],
    again: Iterable[np.ndarray],
    reference: InputSummary,
    weights: np.ndarray,
) -> Repair | None:
    """Sets the mean and deviation of each channel to those of the reference, and predicts.

    `again` yields the same samples as `chunks`. `weights`, `(samples,)`, are the weights of the
    samples in the mean and deviation.

    Returns:
        The repair; None if no channel moved by `MIN_MOVE`, if the number of channels differs from
        that of the reference, or if the input holds ids of tokens, which have no levels.
    """
    if len(reference.tokens):
        return None
    channels_first = reference.layout == "channels_first"
    means, squares = [], []
    for x in chunks:
        flat = x.astype("float64")
        if channels_first:
            flat, axis = flat.reshape(*flat.shape[:2], -1), 2
        else:
            flat, axis = flat.reshape(len(x), -1, x.shape[-1]), 1
        means.append(flat.mean(axis))
        squares.append((flat**2).mean(axis))
    mean, mean_square = (
        np.average(np.concatenate(v), axis=0, weights=weights) for v in (means, squares)
    )
    std = np.sqrt(np.maximum(mean_square - mean**2, 1e-30))
    if len(mean) != reference.num_channels:
        return None
    scale = np.where(std > 1e-12, reference.std / std, 1.0)
    moved = np.abs(mean - reference.mean) / np.maximum(reference.std, 1e-12)
    if (moved < MIN_MOVE).all() and (np.abs(np.log(np.maximum(scale, 1e-12))) < MIN_MOVE).all():
        return None
    offset = reference.mean - mean * scale
    shape = (-1, 1, 1) if channels_first else (-1,)
    by, plus, low, high = (
        v.reshape(shape) for v in (scale, offset, reference.minimum, reference.maximum)
    )
    restored = (np.clip(x * by + plus, low, high).astype("float32") for x in again)
    predictions = predict(model, restored)
    brightness = "darker" if mean.mean() < reference.mean.mean() else "brighter"
    contrast = "lower" if std.mean() < reference.std.mean() else "higher"
    detail = f"{brightness}, contrast {contrast}: the reference's levels restored"
    if not reference.is_image:
        detail = "mean and deviation of each column set to those of the reference"
    line = f"x = {affine('x', scale, offset, channels_first)}"
    return Repair(predictions, detail, line)


def sample_weights(labels: np.ndarray, mix: Mix) -> np.ndarray:
    """Returns weights `(samples,)` that give the classes the frequencies of `mix`."""
    counts = np.bincount(labels, minlength=len(mix.frequencies))
    return mix.frequencies[labels] / counts[labels]
