"""Covariate shift, acted out: the reference is changed as the data was, and the model asked again.

No repair brings back what blur or noise have destroyed. But what they cost can
be measured the other way round: of the operations of the augmentation bank, and
their strengths, the one is chosen that moves the attributes of the reference's
images to those of the data, without looking at any label. What the reference
loses under it is an estimate of what the data lost.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.draws import Draws, fixed_seed
from keras_shiftguard.adaptation.augmentation.operations import OPERATIONS
from keras_shiftguard.adaptation.augmentation.rehearsal import Rehearsal
from keras_shiftguard.explain.predictions import Said, ask
from keras_shiftguard.explain.samples import CHUNK, spread
from keras_shiftguard.statistics.batch import spec_for

TRIED = (
    *("darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down", "haze"),
    *("blur", "motion_blur", "sharpen", "noise", "speckle", "impulse", "resolution", "blocking"),
)
LEVELS = np.linspace(0, 1, 8)[1:] ** 1.5  # small changes are the usual ones
FINER = np.linspace(-1, 1, 9) / 7  # tried around the best, on the scale before the power
EXPLAINED = 0.5  # of the squared distance between the attributes
MOST = 1024  # images that are acted on
SEED = 22


@dataclass(frozen=True)
class Rehearsed:
    """What the model says of the reference, changed as the data was.

    Args:
        said: About the changed images.
        which: Positions of these in the reference.
        operation: Name in the bank.
        words: What was done, for people.
    """

    said: Said
    which: np.ndarray
    operation: str
    words: str


def act_out(
    model: keras.Model, images: np.ndarray, moved: np.ndarray, unit: np.ndarray
) -> Rehearsed | None:
    """Changes the reference as the data was.

    Args:
        model: The classifier.
        images: The reference's, as the model is fed them.
        moved: By how much the mean of each attribute moved from the reference to
            the data, `(attributes,)`.
        unit: Deviation of each attribute between images, `(attributes,)`.

    Returns:
        None where no single operation explains how the data differs.
    """
    data_format = keras.config.image_data_format()
    spec = spec_for("input", images.shape, data_format, str(images.dtype))
    if spec is None:
        return None
    bank = Bank(TRIED, data_format)
    axes = (0, 2, 3) if data_format == "channels_first" else (0, 1, 2)
    low, high = (f(images, axis=axes).astype("float32") for f in (np.min, np.max))
    # One range for all channels: what is gray stays gray.
    low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    few = images[spread(len(images), 96)]
    rehearsal = Rehearsal(bank, spec, few)
    rehearsal.set_range(low, high)
    coarse = [_alone(i, LEVELS) for i in range(len(TRIED))]
    candidates = np.concatenate([np.zeros((1, len(TRIED))), *coarse])
    first, left = _left(rehearsal, candidates, moved, unit)
    if left is None or left.argmin() == 0:
        return None
    nothing, best = float(left[0]), candidates[int(left.argmin())]
    around = np.clip(best.max() ** (1 / 1.5) + FINER, 0.01, 1) ** 1.5
    finer = _alone(int(best.argmax()), around)
    _, left = _left(rehearsal, finer, moved, unit, first)
    if left is None or left.min() > (1 - EXPLAINED) * nothing:
        return None
    best = finer[int(left.argmin())]
    which = spread(len(images), MOST)
    changed = _changed(bank, images[which], best.astype("float32"), low, high)
    name = TRIED[int(best.argmax())]
    operation = OPERATIONS[name]
    amount = operation.unit.format(operation.limit * best.max())
    return Rehearsed(ask(model, changed), which, name, f"{operation.words} ({amount})")


def _alone(index: int, levels: np.ndarray) -> np.ndarray:
    candidates = np.zeros((len(levels), len(TRIED)))
    candidates[:, index] = levels
    return candidates


def _left(
    rehearsal: Rehearsal,
    candidates: np.ndarray,
    moved: np.ndarray,
    unit: np.ndarray,
    base: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The attributes without any operation, and what distance each candidate leaves."""
    means, _ = rehearsal(candidates)
    base = means[0] if base is None else base
    usable = np.isfinite(moved) & (unit > 0) & np.isfinite(means).all(axis=0)
    if not usable.any():
        return base, None
    units = np.where(unit > 0, unit, 1)
    off = ((moved - (means - base)) / units)[:, usable]
    return base, (np.arcsinh(off) ** 2).mean(axis=1)


def _changed(
    bank: Bank, images: np.ndarray, strengths: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[np.ndarray]:
    parts = []
    for start in range(0, len(images), CHUNK):
        x = ops.convert_to_tensor(images[start : start + CHUNK].astype("float32"))
        seed = fixed_seed(SEED + start)
        draws = Draws(len(x), bank.names, seed)
        levels = draws.levels(ops.convert_to_tensor(strengths), whole=True)
        y = bank.apply_levels(x, levels, draws, low, high, seed)
        parts.append(np.asarray(ops.convert_to_numpy(y)))
    return parts
