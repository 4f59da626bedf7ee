"""`Coverage`: the gap between augmented training and the target. NumPy only.

An attribute is covered if its mean and its spread, in units of its own standard
deviation, equal those of the target. Differences are compressed (`asinh`), so
that a corruption that moves one attribute by twenty standard deviations does
not hide the other thirty.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import FeatureTable

# Smallest unit of a gap, since some attributes (the spread of a black border) do not
# vary at all: one for shares and positions, one for attributes that are logarithms.
MIN_UNIT = 0.05
MIN_LOG_UNIT = 0.3
LOG_ATTRIBUTES = (
    *("contrast", "saturation", "sharpness", "noise", "noise_flat", "noise_kurtosis"),
    *("blockiness", "border_spread", "band_1", "band_2", "band_3", "band_4", "entropy"),
)
SPREAD_WEIGHT = 0.25  # weight of a gap between spreads, relative to one between means
MIN_SAMPLES = 20  # samples with the attribute, in each of the two streams
# An attribute is shifted if it differs by at least this many standard deviations, and
# by so many standard errors that testing thirty attributes a hundred times rarely errs.
MIN_EFFECT = 0.2
MIN_STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Coverage:
    """The attributes of training and target, with the gap that an augmentation leaves.

    Args:
        names: Names of the attributes.
        train: Means of training before augmentation, `(attributes,)`.
        train_std: Standard deviations of training, `(attributes,)`.
        target: Means of the target, `(attributes,)`.
        target_std: Standard deviations of the target, `(attributes,)`.
        error: Standard error of `target - train`, `(attributes,)`.
    """

    names: tuple[str, ...]
    train: np.ndarray
    train_std: np.ndarray
    target: np.ndarray
    target_std: np.ndarray
    error: np.ndarray

    @classmethod
    def between(cls, train: FeatureTable, target: FeatureTable) -> "Coverage":
        """Compares two measured streams; a ValueError if their attributes differ."""
        if train.names != target.names:
            raise ValueError("training and target have different attributes")
        n, m = train.moments.count, target.moments.count
        known = np.minimum(n, m) >= MIN_SAMPLES
        std, other = train.moments.std, target.moments.std
        error = np.sqrt(std**2 / np.maximum(n, 1) + other**2 / np.maximum(m, 1))
        mean, other_mean = (np.where(known, t.moments.mean, np.nan) for t in (train, target))
        return cls(train.names, mean, std, other_mean, other, error)

    @property
    def unit(self) -> np.ndarray:
        """The unit of the gaps: pooled standard deviation, with a minimum, `(attributes,)`."""
        pooled = np.sqrt((self.train_std**2 + self.target_std**2) / 2)
        floors = {"brightness": 1e-9, **dict.fromkeys(LOG_ATTRIBUTES, MIN_LOG_UNIT)}
        return np.maximum(pooled, [floors.get(name, MIN_UNIT) for name in self.names])

    @property
    def shifted(self) -> np.ndarray:
        """Whether each attribute differs significantly and noticeably, `(attributes,)`."""
        difference = np.abs(self.target - self.train)
        certain = difference > MIN_STANDARD_ERRORS * self.error
        return np.asarray(certain & (difference > MIN_EFFECT * self.unit))

    def gaps(self, moved: np.ndarray) -> np.ndarray:
        """Returns augmented training minus target, in units of `unit`.

        Args:
            moved: Changes of the means by the augmentation, `(..., attributes)`.
        """
        return np.asarray((self.train + moved - self.target) / self.unit)

    def loss(self, moved: np.ndarray, widened: np.ndarray) -> np.ndarray:
        """Returns the mean squared gap, `(...,)`; 0 if the target is covered.

        Args:
            moved: Changes of the means by the augmentation, `(..., attributes)`;
                unknown ones are NaN and are ignored.
            widened: Factors by which it widens the spreads, `(..., attributes)`.
        """
        gap = np.arcsinh(self.gaps(moved))
        floor = MIN_UNIT * self.unit
        spread = np.log((self.train_std * widened + floor) / (self.target_std + floor))
        each = gap**2 + SPREAD_WEIGHT * np.clip(spread, -2, 2) ** 2
        return np.asarray(np.nanmean(np.where(np.isfinite(each), each, np.nan), axis=-1))
