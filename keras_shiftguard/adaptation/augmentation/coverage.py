"""`Coverage`: the gap between augmented training and the target. NumPy only.

The target is covered if each image attribute has the same mean in the target and in augmented
training. Differences are compressed (`asinh`), as in `experiments.lost`: otherwise a corruption
that moves one attribute by twenty standard deviations would hide those of all other attributes.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.profiles import FeatureTable

# A gap is divided by the standard deviation of the attribute, but at least by this number, since
# some attributes do not vary at all (the spread of a black border). Most attributes are logarithms.
# A convention.
MIN_UNIT = 0.1
MIN_SAMPLES = 20  # an attribute is ignored if fewer samples of a stream have it. A convention.
# An attribute is shifted if its means differ by more than `MIN_EFFECT` standard deviations and by
# more than `MIN_STANDARD_ERRORS` standard errors. With five standard errors, 0.2 % of the trainings
# have a false alarm if thirty attributes are tested a hundred times in each. Conventions.
MIN_EFFECT = 0.2
MIN_STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Coverage:
    """The differences between training and target, and the gaps that an augmentation leaves.

    Args:
        names: Names of the attributes.
        difference: Means of the target minus those of training before augmentation,
            `(attributes,)`; NaN if either stream has too few samples with the attribute.
        error: Standard error of `difference`, `(attributes,)`.
        unit: The unit of the gaps: the pooled standard deviation, with a minimum, `(attributes,)`.
    """

    names: tuple[str, ...]
    difference: np.ndarray
    error: np.ndarray
    unit: np.ndarray

    @classmethod
    def between(cls, train: FeatureTable, target: FeatureTable) -> "Coverage":
        """Compares two measured streams that have the same attributes."""
        here, there = train.moments, target.moments
        known = np.minimum(here.count, there.count) >= MIN_SAMPLES
        error = np.sqrt(
            here.std**2 / np.maximum(here.count, 1) + there.std**2 / np.maximum(there.count, 1)
        )
        # Brightness has the unit of the input, which is not known, so no minimum suits it. The
        # number 1e-9 only prevents a division by zero.
        floors = [1e-9 if name == "brightness" else MIN_UNIT for name in train.names]
        unit = np.maximum(np.sqrt((here.std**2 + there.std**2) / 2), floors)
        return cls(train.names, np.where(known, there.mean - here.mean, np.nan), error, unit)

    @property
    def is_shifted(self) -> np.ndarray:
        """Whether each attribute is shifted, see `MIN_EFFECT`, `(attributes,)` bool."""
        least = np.maximum(MIN_STANDARD_ERRORS * self.error, MIN_EFFECT * self.unit)
        return np.asarray(np.abs(self.difference) > least)

    def gaps(self, moved: np.ndarray) -> np.ndarray:
        """Returns the means of augmented training minus those of the target, in `unit`s.

        `moved` are the changes of the means by the augmentation, `(..., attributes)`. The result
        is NaN where a mean is unknown.
        """
        return np.asarray((moved - self.difference) / self.unit)

    def loss(self, moved: np.ndarray) -> np.ndarray:
        """Returns the distance of augmented training from the target, `(...,)`; 0 if covered.

        `moved` is that of `gaps`; attributes with an unknown mean are ignored.
        """
        gaps = self.gaps(moved)
        losses = np.where(np.isfinite(gaps), np.arcsinh(gaps) ** 2, np.nan)
        return np.asarray(np.nanmean(losses, -1))
