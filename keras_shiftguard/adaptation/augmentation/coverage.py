"""How far augmented training is from what the target looks like. NumPy only.

An attribute is covered where its mean and its spread, in units of its own
standard deviation, are those of the target. Differences are compressed
(`asinh`): a corruption that moves one number by twenty deviations must not
drown the other thirty.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import FeatureTable

# A gap is told in deviations of these at least: some attributes (the spread of a
# black border) do not vary at all. Shares and positions, and logarithms.
FLOOR = 0.05
LOG_FLOOR = 0.3
LOGS = (
    *("contrast", "saturation", "sharpness", "noise", "noise_flat", "noise_kurtosis"),
    *("blockiness", "border_spread", "band_1", "band_2", "band_3", "band_4", "entropy"),
)
SPREAD = 0.25  # what a spread counts, against a mean
FEWEST = 20  # samples with the attribute, in both
# What counts as a shift at all: an effect beyond what matters little, and so
# many standard errors that thirty attributes and a hundred looks are paid for.
EFFECT = 0.2
SIGMAS = 5.0


@dataclass(frozen=True)
class Coverage:
    """The attributes of training and target, and what an augmentation makes of them.

    Args:
        names: Names of the attributes.
        train: Means of training as fed, `(attributes,)`.
        train_std: Their standard deviations.
        target: Means of the target.
        target_std: Their standard deviations.
        error: Standard error of `target - train`.
    """

    names: tuple[str, ...]
    train: np.ndarray
    train_std: np.ndarray
    target: np.ndarray
    target_std: np.ndarray
    error: np.ndarray

    @classmethod
    def between(cls, train: FeatureTable, target: FeatureTable) -> "Coverage":
        """Of two measured streams with the same attributes."""
        if train.names != target.names:
            raise ValueError("training and target have different attributes")
        n, m = train.moments.count, target.moments.count
        known = np.minimum(n, m) >= FEWEST
        std, other = train.moments.std, target.moments.std
        error = np.sqrt(std**2 / np.maximum(n, 1) + other**2 / np.maximum(m, 1))
        mean, its = (np.where(known, t.moments.mean, np.nan) for t in (train, target))
        return cls(train.names, mean, std, its, other, error)

    @property
    def unit(self) -> np.ndarray:
        """The standard deviation in which gaps are told, `(attributes,)`."""
        pooled = np.sqrt((self.train_std**2 + self.target_std**2) / 2)
        floors = {"brightness": 1e-9, **dict.fromkeys(LOGS, LOG_FLOOR)}
        return np.maximum(pooled, [floors.get(name, FLOOR) for name in self.names])

    @property
    def shifted(self) -> np.ndarray:
        """Which attributes differ by more than chance and by what matters."""
        difference = np.abs(self.target - self.train)
        certain = difference > SIGMAS * self.error
        return np.asarray(certain & (difference > EFFECT * self.unit))

    def gaps(self, moved: np.ndarray) -> np.ndarray:
        """Augmented training minus target, in units of `unit`.

        Args:
            moved: By how much the augmentation moves the means,
                `(..., attributes)`.
        """
        return np.asarray((self.train + moved - self.target) / self.unit)

    def loss(self, moved: np.ndarray, widened: np.ndarray) -> np.ndarray:
        """Mean squared gap, `(...,)`; 0 where all is covered.

        Args:
            moved: By how much the augmentation moves the means,
                `(..., attributes)`; NaN where unknown, which counts nothing.
            widened: By what factor it widens the spreads.
        """
        gap = np.arcsinh(self.gaps(moved))
        floor = FLOOR * self.unit
        spread = np.log((self.train_std * widened + floor) / (self.target_std + floor))
        each = gap**2 + SPREAD * np.clip(spread, -2, 2) ** 2
        return np.asarray(np.nanmean(np.where(np.isfinite(each), each, np.nan), axis=-1))
