"""Inputs standardised by other means and deviations: given those of training."""

import numpy as np

from keras_shiftguard.account.candidates.candidates import Candidate, Choice
from keras_shiftguard.account.rival import Rival
from keras_shiftguard.account.rivals.operations import of_case
from keras_shiftguard.account.samples import Case

TINY = 1e-6  # a smaller deviation is none. A convention.


def rivals(case: Case) -> list[Rival]:
    """Returns a map of each input of numbers to the moments of training, channel by channel."""
    found = []
    for spec, x, known in case.differing():
        if x.ndim not in (2, 4) or x.shape[1:] != known.shape[1:]:
            continue
        axis = 1 if spec.layout == "channels_first" else x.ndim - 1
        axes = tuple(i for i in range(x.ndim) if i != axis)
        mean, std = np.nanmean(x, axis=axes), np.nanstd(x, axis=axes) + TINY
        usual, spread = np.nanmean(known, axis=axes), np.nanstd(known, axis=axes) + TINY
        factors = np.where((std > 2 * TINY) & (spread > 2 * TINY), spread / std, 1.0)
        offsets = usual - factors * mean
        shape = [-1 if i == axis else 1 for i in range(x.ndim)]
        found.append(of_case(case, spec, _candidate(factors, offsets, shape, x.ndim == 4)))
    return found


def _candidate(
    factors: np.ndarray, offsets: np.ndarray, shape: list[int], is_image: bool
) -> Candidate:
    scale, plus = (each.astype("float32").reshape(shape) for each in (factors, offsets))

    def run(rows: np.ndarray) -> np.ndarray:
        return (rows * scale + plus).astype("float32")

    strength = (factors.tolist(), offsets.tolist())
    family = "light" if is_image else "columns"
    return Candidate(
        Choice("factor" if _is_one(strength) else "own moments", family, strength), run
    )


def _is_one(strength: tuple[list[float], list[float]]) -> bool:
    return len(strength[0]) == 1
