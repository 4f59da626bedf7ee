"""`Moments`: means and variances; those of several parts of a stream can be added."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Mean and summed squared deviation of `count` samples (Chan et al. 1979).

    Args:
        count: Number of samples with a finite value, shaped like `mean`.
        mean: Mean over those samples, any shape; 0 where there are none.
        m2: Sum over those samples of the squared deviation from `mean`.
    """

    count: np.ndarray
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def empty(cls, *shape: int) -> Self:
        """Returns the moments of no samples."""
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def __add__(self, other: Self) -> Self:
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        delta = other.mean - self.mean
        mean = self.mean + delta * share
        m2 = self.m2 + other.m2 + delta**2 * (self.count * share)
        return type(self)(count, mean, m2)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation (of the population: `m2` is divided by `count`)."""
        return np.sqrt(self.m2 / np.maximum(self.count, 1))
