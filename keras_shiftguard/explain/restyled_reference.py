"""Estimates the cost of a covariate shift by applying the same change to the reference.

No repair restores details that blur or noise have destroyed. So the reference images
are changed instead, by one operation of the augmentation bank: the one that, at its best
strength, moves the image attributes of the reference closest to those of the data. This
choice uses no labels. The accuracy that the reference then loses is an estimate of what
the data lost.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws, fixed_seed
from keras_shiftguard.adaptation.augmentation.operations import OPERATIONS
from keras_shiftguard.adaptation.augmentation.rehearsal import Rehearsal
from keras_shiftguard.explain.predictions import Predictions, predict
from keras_shiftguard.explain.samples import CHUNK, spread
from keras_shiftguard.statistics.batch import spec_for

TRIED_OPERATIONS = (
    *("darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down", "haze"),
    *("blur", "motion_blur", "sharpen", "noise", "speckle", "impulse", "resolution", "blocking"),
)
# Strengths to try; denser for small changes, which are more common.
LEVELS = np.linspace(0, 1, 8)[1:] ** 1.5
FINER = np.linspace(-1, 1, 9) / 7  # offsets from the best strength, before the power of 1.5
# Share of the distance between the mean attributes of reference and data, as measured by
# `_distances`, that the operation must remove.
MIN_EXPLAINED = 0.5
MAX_SAMPLES_TO_FIT = 96  # images on which operations are compared
MAX_SAMPLES = 1024  # images that are restyled and predicted
SEED = 22


@dataclass(frozen=True)
class RestyledReference:
    """Predictions for reference images that were changed like the data.

    Args:
        predictions: Predictions for the changed images.
        which: Positions of these images in the reference.
        operation: Name of the operation in the bank.
        words: Description of the change for the report.
    """

    predictions: Predictions
    which: np.ndarray
    operation: str
    words: str


def restyle_reference(
    model: keras.Model, images: np.ndarray, moved: np.ndarray, unit: np.ndarray
) -> RestyledReference | None:
    """Changes the reference images like the data, and predicts them.

    Args:
        model: The classifier.
        images: The reference images, as the model is fed them.
        moved: Change of the mean of each image attribute from the reference to the
            data, `(attributes,)`.
        unit: Standard deviation of each attribute between images, `(attributes,)`.

    Returns:
        The predictions; None if no single operation explains how the data differs.
    """
    data_format = keras.config.image_data_format()
    spec = spec_for("input", images.shape, data_format, str(images.dtype))
    if spec is None:
        return None
    bank = Bank(TRIED_OPERATIONS, data_format)
    axes = (0, 2, 3) if data_format == "channels_first" else (0, 1, 2)
    low, high = (f(images, axis=axes).astype("float32") for f in (np.min, np.max))
    # One range for all channels, so that gray images stay gray.
    low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    few = images[spread(len(images), MAX_SAMPLES_TO_FIT)]
    rehearsal = Rehearsal(bank, spec, few)
    rehearsal.set_range(low, high)
    number = len(TRIED_OPERATIONS)
    coarse = [_one_operation(i, LEVELS) for i in range(number)]
    candidates = np.concatenate([np.zeros((1, number)), *coarse])
    base, distances = _distances(rehearsal, candidates, moved, unit)
    if distances is None or distances.argmin() == 0:
        return None
    unchanged, strengths = float(distances[0]), candidates[int(distances.argmin())]
    finer_levels = np.clip(strengths.max() ** (1 / 1.5) + FINER, 0.01, 1) ** 1.5
    finer = _one_operation(int(strengths.argmax()), finer_levels)
    _, distances = _distances(rehearsal, finer, moved, unit, base)
    if distances is None or distances.min() > (1 - MIN_EXPLAINED) * unchanged:
        return None
    strengths = finer[int(distances.argmin())]
    which = spread(len(images), MAX_SAMPLES)
    changed = _changed(bank, images[which], strengths.astype("float32"), low, high)
    name = TRIED_OPERATIONS[int(strengths.argmax())]
    operation = OPERATIONS[name]
    amount = operation.unit.format(operation.limit * strengths.max())
    words = f"{operation.words} ({amount})"
    return RestyledReference(predict(model, changed), which, name, words)


def _one_operation(index: int, levels: np.ndarray) -> np.ndarray:
    """Returns strengths `(levels, operations)` for one operation; they are 0 for all others."""
    candidates = np.zeros((len(levels), len(TRIED_OPERATIONS)))
    candidates[:, index] = levels
    return candidates


def _distances(
    rehearsal: Rehearsal,
    candidates: np.ndarray,
    moved: np.ndarray,
    unit: np.ndarray,
    base: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns how far the attributes of the reference are from those of the data, by candidate.

    Args:
        rehearsal: Measures the mean attributes to which candidates lead.
        candidates: Strengths of the operations, `(candidates, operations)`.
        moved: See `restyle_reference`.
        unit: See `restyle_reference`.
        base: The mean attributes without any operation; None to take the means of the
            first candidate.

    Returns:
        `base`; and for each candidate `(candidates,)` the mean square of
        arcsinh(difference / `unit`) over the attributes, where arcsinh damps large
        differences. The second is None if no attribute can be compared.
    """
    means, _ = rehearsal(candidates)
    base = means[0] if base is None else base
    usable = np.isfinite(moved) & (unit > 0) & np.isfinite(means).all(axis=0)
    if not usable.any():
        return base, None
    units = np.where(unit > 0, unit, 1)
    remaining = ((moved - (means - base)) / units)[:, usable]
    return base, (np.arcsinh(remaining) ** 2).mean(axis=1)


def _changed(
    bank: Bank, images: np.ndarray, strengths: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[np.ndarray]:
    """Returns the images, changed with the given strengths, in chunks."""
    parts = []
    for start in range(0, len(images), CHUNK):
        x = ops.convert_to_tensor(images[start : start + CHUNK].astype("float32"))
        seed = fixed_seed(SEED + start)
        draws = Draws(len(x), bank.names, seed)
        levels = draws.levels(ops.convert_to_tensor(strengths), whole=True)
        y = bank.apply_levels(x, levels, draws, low, high, seed)
        parts.append(np.asarray(ops.convert_to_numpy(y)))
    return parts
