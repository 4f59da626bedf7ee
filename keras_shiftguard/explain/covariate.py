"""Covariate shift as a cause: the accuracy regained if the levels of the reference are restored.

Covariate shift cannot be removed exactly, since the images without the shift are not known. The
mean and deviation of each channel are set to those of the reference, which needs no labels. The
accuracy that this regains is an estimate of the cost of the shift; a small one is no evidence
against it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.causes.explanation import affine
from keras_shiftguard.profiles import InputSummary


@dataclass(frozen=True)
class LevelRepair:
    """A repair that sets the levels of the data to those of the reference.

    Args:
        apply: Function that repairs a batch.
        detail: Description for the report.
        line: Line of Python that repairs the input.
    """

    apply: Callable[[np.ndarray], np.ndarray]
    detail: str
    line: str


def level_repair(now: InputSummary, reference: InputSummary) -> LevelRepair | None:
    """Returns the repair that gives each channel the mean and deviation of the reference.

    Returns None if the number of channels differs from that of the reference, or if the input
    holds ids of tokens, which have no levels.
    """
    if len(reference.tokens) or now.num_channels != reference.num_channels:
        return None
    mean, std = (np.asarray(v, "float64") for v in (now.mean, now.std))
    scale = np.where(std > 1e-12, reference.std / np.maximum(std, 1e-12), 1.0)
    offset = reference.mean - mean * scale
    channels_first = reference.layout == "channels_first"
    shape = (-1, 1, 1) if channels_first else (-1,)
    by, plus, low, high = (
        v.reshape(shape) for v in (scale, offset, reference.minimum, reference.maximum)
    )
    brightness = "darker" if mean.mean() < reference.mean.mean() else "brighter"
    contrast = "lower" if std.mean() < reference.std.mean() else "higher"
    detail = f"{brightness}, contrast {contrast}: the reference's levels restored"
    if not reference.is_image:
        detail = "mean and deviation of each column set to those of the reference"
    line = f"x = {affine('x', scale, offset, channels_first)}"
    return LevelRepair(lambda x: np.clip(x * by + plus, low, high).astype("float32"), detail, line)
