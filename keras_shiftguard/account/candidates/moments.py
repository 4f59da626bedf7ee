"""`Moments` of the columns of a table or the channels of series, and their correlations."""

from typing import NamedTuple

import numpy as np

from keras_shiftguard.account.candidates.candidates import NEAR, TINY


class Moments(NamedTuple):
    """Moments of each column over its finite values, and whether these are whole numbers."""

    mean: np.ndarray
    std: np.ndarray
    skewness: np.ndarray
    are_whole: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> "Moments":
        values = np.where(np.isfinite(x), x, np.nan).reshape(-1, x.shape[-1])
        are_whole = (np.isnan(values) | (values == np.rint(values))).all(axis=0)
        values = values.astype("float64")
        mean, std = (np.nan_to_num(of(values, axis=0)) for of in (np.nanmean, np.nanstd))
        skewness = np.nan_to_num(np.nanmean(((values - mean) / (std + TINY)) ** 3, axis=0))
        return cls(mean, std, skewness, are_whole)

    def moved_from(self, other: "Moments") -> np.ndarray:
        """Returns whether each column differs by more than sampling makes it."""
        scaled = np.abs(np.log((other.std + TINY) / (self.std + TINY))) > NEAR
        return scaled | (np.abs(other.mean - self.mean) > NEAR * other.std)


def correlations_of(x: np.ndarray) -> np.ndarray:
    """Returns the correlations of the columns, `(columns, columns)`, 0 on the diagonal."""
    rows = np.where(np.isfinite(x), x, 0.0).reshape(-1, x.shape[-1]).astype("float64")
    centred = rows - rows.mean(axis=0)
    norms = np.sqrt(np.square(centred).sum(axis=0)) + TINY
    found = centred.T @ centred / norms / norms[:, None]
    np.fill_diagonal(found, 0.0)
    return found
