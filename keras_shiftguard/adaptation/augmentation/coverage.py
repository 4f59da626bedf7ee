"""`Coverage`: the gap between augmented training and the target. NumPy only.

The target is covered if each image attribute has the same mean and the same
standard deviation in the target and in augmented training. Differences of means
are compressed (`asinh`). Otherwise a corruption that moves one attribute by twenty
standard deviations would hide the differences of all other attributes.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import FeatureTable

# A gap is divided by the standard deviation of the attribute, but at least by these numbers,
# since some attributes do not vary at all (the spread of a black border). `MIN_LOG_UNIT` is for
# `LOG_ATTRIBUTES` (logarithms, and the entropy in nats), `MIN_UNIT` for all others except
# brightness, see `unit`.
MIN_UNIT = 0.05
MIN_LOG_UNIT = 0.3
LOG_ATTRIBUTES = (
    *("contrast", "saturation", "sharpness", "noise", "noise_flat", "noise_kurtosis"),
    *("blockiness", "border_spread", "band_1", "band_2", "band_3", "band_4", "entropy"),
)
SPREAD_WEIGHT = 0.25  # weight of differences of standard deviations; that of means is 1
MIN_SAMPLES = 20  # an attribute is ignored if fewer samples of a stream have it
# An attribute is shifted if its means differ by more than `MIN_EFFECT` standard deviations and by
# more than `MIN_STANDARD_ERRORS` standard errors. With five standard errors, 0.2 % of the trainings
# have a false alarm if thirty attributes are tested a hundred times in each.
MIN_EFFECT = 0.2
MIN_STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Coverage:
    """The attributes of training and target, and the gaps that an augmentation leaves.

    Args:
        names: Names of the attributes.
        train: Means of training before augmentation, `(attributes,)`; NaN if either
            stream has fewer than `MIN_SAMPLES` samples with the attribute.
        train_std: Standard deviations of training, `(attributes,)`.
        target: Means of the target, `(attributes,)`; NaN as in `train`.
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
        """Compares two measured streams; raises a ValueError if their attributes differ."""
        if train.names != target.names:
            raise ValueError("training and target have different attributes")
        n, m = train.moments.count, target.moments.count
        known = np.minimum(n, m) >= MIN_SAMPLES
        std, target_std = train.moments.std, target.moments.std
        error = np.sqrt(std**2 / np.maximum(n, 1) + target_std**2 / np.maximum(m, 1))
        mean, target_mean = (np.where(known, t.moments.mean, np.nan) for t in (train, target))
        return cls(train.names, mean, std, target_mean, target_std, error)

    @property
    def unit(self) -> np.ndarray:
        """The unit of the gaps: pooled standard deviation, with a minimum, `(attributes,)`."""
        pooled = np.sqrt((self.train_std**2 + self.target_std**2) / 2)
        # The unit of brightness is that of the input and is not known, so no minimum suits it. The
        # number 1e-9 only prevents a division by zero.
        floors = {"brightness": 1e-9, **dict.fromkeys(LOG_ATTRIBUTES, MIN_LOG_UNIT)}
        return np.maximum(pooled, [floors.get(name, MIN_UNIT) for name in self.names])

    @property
    def shifted(self) -> np.ndarray:
        """Whether each attribute is shifted, see `MIN_EFFECT`, `(attributes,)` bool."""
        difference = np.abs(self.target - self.train)
        is_significant = difference > MIN_STANDARD_ERRORS * self.error
        return np.asarray(is_significant & (difference > MIN_EFFECT * self.unit))

    def gaps(self, moved: np.ndarray) -> np.ndarray:
        """Returns the means of augmented training minus those of the target, in `unit`s.

        Args:
            moved: Changes of the means by the augmentation, `(..., attributes)`.

        Returns:
            `(..., attributes)`; NaN where a mean is unknown.
        """
        return np.asarray((self.train + moved - self.target) / self.unit)

    def loss(self, moved: np.ndarray, widened: np.ndarray) -> np.ndarray:
        """Returns the distance of augmented training from the target, `(...,)`.

        The distance is 0 if the target is covered. It is the mean over attributes of a sum: the
        square of the compressed gap between the means, and the weighted square of the log ratio
        of the standard deviations.

        Args:
            moved: Changes of the means by the augmentation, `(..., attributes)`;
                unknown ones are NaN and are ignored.
            widened: Factors by which the augmentation multiplies the standard
                deviations, `(..., attributes)`.
        """
        gap = np.arcsinh(self.gaps(moved))
        floor = MIN_UNIT * self.unit  # bounds the ratio where an attribute hardly varies
        log_ratio = np.log((self.train_std * widened + floor) / (self.target_std + floor))
        losses = gap**2 + SPREAD_WEIGHT * np.clip(log_ratio, -2, 2) ** 2
        return np.asarray(np.nanmean(np.where(np.isfinite(losses), losses, np.nan), axis=-1))
