"""`wrapped_candidates`: undoes a number that was added to 8-bit images, so that they overflowed.

`image + 80` of a uint8 array makes 24 of 200: bright areas turn dark. Nothing is lost by it, so the
number can be subtracted in the same arithmetic. It is the number that turns the levels of
validation into those of training, if levels are put on a circle of 256.
"""

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate, on_images
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.levels import WRAP, wrapped
from keras_shiftguard.operations.scale import Scale

LEVELS = 256  # values of an 8-bit number. Given by its definition.
# The levels must fit by so much better than after the same number is subtracted and clipped, as
# more light is undone. A convention.
BETTER = 0.5


def wrapped_candidates(scale: Scale, images: np.ndarray, training: np.ndarray) -> list[Candidate]:
    """Returns the candidate that undoes an overflow; none if the levels show no overflow."""
    here, there = _shares(images, scale), _shares(training, scale)
    misfits = [np.abs(np.roll(here, -number) - there).sum() for number in range(LEVELS)]
    number = int(np.argmin(misfits))
    if misfits[number] > BETTER * np.abs(_darker(here, number) - there).sum():
        return []
    amount = number / (LEVELS - 1)
    return [Candidate(Choice(WRAP.name, WRAP.family, amount), on_images(wrapped, amount, scale))]


def _darker(shares: np.ndarray, number: int) -> np.ndarray:
    """Returns the shares of the levels after a number is subtracted and clipped at black."""
    clipped = np.roll(shares, -number)
    lost = clipped[LEVELS - number :].sum()
    clipped[LEVELS - number :] = 0.0
    clipped[0] += lost
    return clipped


def _shares(images: np.ndarray, scale: Scale) -> np.ndarray:
    """Returns the shares of the levels of 8-bit images, `(256,)`."""
    low, high = float(scale.low[0]), float(scale.high[0])
    levels = np.rint((images.astype("float32") - low) / (high - low) * (LEVELS - 1))
    levels = np.nan_to_num(levels).clip(0, LEVELS - 1).astype(int).ravel()
    return np.bincount(levels, minlength=LEVELS) / len(levels)
