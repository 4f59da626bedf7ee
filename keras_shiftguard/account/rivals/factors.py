"""Inputs in another scale: 255 and 127.5 for pixels, 100 and 1000 for the columns of tables."""

from dataclasses import replace

import numpy as np

from keras_shiftguard.account.candidates.candidates import Candidate, Choice
from keras_shiftguard.account.rival import Rival
from keras_shiftguard.account.rivals.operations import of_case
from keras_shiftguard.account.samples import Case

# Factors and offsets between forms of input. Given by `preprocess_input`, and by units.
OF_PIXELS = (
    (1 / 255, 0.0),
    (255.0, 0.0),
    (1 / 127.5, -1.0),
    (127.5, 127.5),
    (2.0, -1.0),
    (0.5, 0.5),
)
OF_ROWS = ((1 / 255, 0.0), (255.0, 0.0), (0.01, 0.0), (100.0, 0.0), (0.001, 0.0), (1000.0, 0.0))
MAX_APART = 0.5  # logarithms of the deviations of a column after the factor. A convention.
MIN_NEARER = 0.3  # by which the logarithm of the deviation must come nearer. A convention.


def rivals(case: Case) -> list[Rival]:
    """Returns the factors that bring the deviation of an input nearer to that of training."""
    found = []
    for spec, x, known in case.differing():
        here, there = (float(np.nanstd(each)) + 1e-9 for each in (x, known))
        is_image = spec.layout != "features"
        for factor, offset in OF_PIXELS if is_image else OF_ROWS:
            mean = float(np.nanmean(x)) * factor + offset
            moved = abs(mean - float(np.nanmean(known))) / there
            was = abs(float(np.nanmean(x)) - float(np.nanmean(known))) / there
            nearer = abs(np.log(here / there)) - abs(np.log(here * factor / there))
            if not is_image and not _fits_columns(x, known, factor):
                continue
            if nearer > MIN_NEARER or (offset and nearer > -1e-6 and moved < was / 2):
                rival = of_case(case, spec, _candidate(factor, offset, x))
                found.append(replace(rival, is_simple=True))
    return found


def _fits_columns(x: np.ndarray, known: np.ndarray, factor: float) -> bool:
    """Whether the factor gives each column about the deviation that it has in training."""
    axes = tuple(range(max(x.ndim - 1, 1)))
    here, there = (np.nanstd(each, axis=axes) + 1e-9 for each in (x, known))
    if np.shape(here) != np.shape(there):
        return False
    return bool(np.max(np.abs(np.log(here * factor / there))) < MAX_APART)


def _candidate(factor: float, offset: float, x: np.ndarray) -> Candidate:
    channels = x.shape[-1] if x.ndim > 1 else 1

    def run(rows: np.ndarray) -> np.ndarray:
        return (rows * factor + offset).astype("float32")

    strength = ([factor] * channels, [offset] * channels)
    return Candidate(Choice("factor", "light" if x.ndim > 2 else "columns", strength), run)
