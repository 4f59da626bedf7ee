"""`FeatureTable`: moments and histograms of the named features of the samples of a stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles.grid import BINS_PER_SIGN, NUM_BINS
from keras_shiftguard.profiles.moments import Moments

# A table of up to FINE_FEATURES features has histograms on the full grid. A table of up to
# COARSE_FEATURES features has bins that are COARSENING times as wide, to save memory. A larger
# table has only moments. Conventions.
FINE_FEATURES = 64
COARSE_FEATURES = 4096
# It leaves 61 bins instead of 2,793; the edges of a bin differ by a factor of 2.5. A convention.
COARSENING = 47
COARSE_PER_SIGN = -(-BINS_PER_SIGN // COARSENING)
NUM_COARSE_BINS = 2 * COARSE_PER_SIGN + 1  # negative, zero, positive. Given by the grid.


def num_bins(num_features: int) -> int:
    """Returns the number of bins of each feature; 0 if there are only moments."""
    if num_features <= FINE_FEATURES:
        return NUM_BINS
    return NUM_COARSE_BINS if num_features <= COARSE_FEATURES else 0


@dataclass(frozen=True)
class FeatureTable:
    """Moments and a histogram of each feature. A feature is one number for each sample.

    Args:
        names: Names of the `k` features, such as `"brightness"`.
        num_samples: Number of samples measured. It may be smaller than the number in the
            stream: in a long pass, costly features are measured only on some samples,
            evenly spread over the pass.
        moments: Moments of each feature over the samples where it is finite,
            `(k,)`.
        counts: Histograms, `(k, num_bins(k))`, int64: on the bins of `grid.py`, or
            on bins `COARSENING` times as wide; `(k, 0)` if there are none.
    """

    names: tuple[str, ...] = ()
    num_samples: int = 0
    moments: Moments = field(default_factory=lambda: Moments.empty(0))
    counts: np.ndarray = field(default_factory=lambda: np.zeros((0, NUM_BINS), "int64"))

    @property
    def missing(self) -> np.ndarray:
        """Number of samples in which each feature was not finite, `(k,)`."""
        return self.num_samples - self.moments.count

    def mean(self, name: str) -> float:
        """Returns the mean of a feature."""
        return float(self.moments.mean[self._positions[name]])

    def std(self, name: str) -> float:
        """Returns the standard deviation of a feature."""
        place, moments = self._positions[name], self.moments
        return float(np.sqrt(moments.m2[place] / max(moments.count[place], 1)))

    def only(self, names: Sequence[str]) -> "FeatureTable":
        """Returns the table of some of the features, in the order of `names`."""
        rows = np.array([self._positions[name] for name in names], dtype=int)
        a = self.moments
        moments = Moments(a.count[rows], a.mean[rows], a.m2[rows])
        return FeatureTable(tuple(names), self.num_samples, moments, self.counts[rows])

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Index of each feature by name; cached, because there may be thousands."""
        return {name: place for place, name in enumerate(self.names)}

    def __add__(self, other: "FeatureTable") -> "FeatureTable":
        if not other.num_samples or not self.num_samples:
            return self if not other.num_samples else other
        if self.names != other.names:
            raise BadInputError(
                "Profiles with different features cannot be merged: "
                f"{_first_names(self.names)} and {_first_names(other.names)}."
            )
        return FeatureTable(
            self.names,
            self.num_samples + other.num_samples,
            self.moments + other.moments,
            self.counts + other.counts,
        )


def _first_names(names: tuple[str, ...]) -> str:
    """Lists the first five names, and counts the others."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
