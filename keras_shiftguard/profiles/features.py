"""What each sample was reduced to: a few named numbers, counted over a stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.profiles.grid import BINS_PER_SIGN, NUM_BINS
from keras_shiftguard.profiles.moments import Moments

# Up to FINE_FEATURES features are counted on the full grid. More of them, up to
# COARSE_FEATURES, share the memory: their bins are COARSENING times as wide.
# Beyond that only moments are kept.
FINE_FEATURES = 64
COARSE_FEATURES = 4096
COARSENING = 47
COARSE_PER_SIGN = -(-BINS_PER_SIGN // COARSENING)
NUM_COARSE_BINS = 2 * COARSE_PER_SIGN + 1


def num_bins(num_features: int) -> int:
    """Bins of each of that many features; 0 where only moments are kept."""
    if num_features <= FINE_FEATURES:
        return NUM_BINS
    return NUM_COARSE_BINS if num_features <= COARSE_FEATURES else 0


@dataclass(frozen=True)
class FeatureTable:
    """Moments and a histogram of each feature, one value a sample.

    Args:
        names: Names of the `k` features, such as `"brightness"`.
        num_samples: Samples looked at. May be fewer than the stream had:
            costly features are measured on an even part of a long pass.
        moments: Of each feature over the samples where it is finite, `(k,)`.
        counts: Histograms, `(k, num_bins(k))`, int64: on `grid`'s bins, or on
            bins `COARSENING` times as wide; `(k, 0)` where none is kept.
    """

    names: tuple[str, ...] = ()
    num_samples: int = 0
    moments: Moments = field(default_factory=lambda: Moments.empty(0))
    counts: np.ndarray = field(default_factory=lambda: np.zeros((0, NUM_BINS), "int64"))

    @property
    def missing(self) -> np.ndarray:
        """Samples in which a feature was not finite, `(k,)`."""
        return self.num_samples - self.moments.count

    def mean(self, name: str) -> float:
        return float(self.moments.mean[self._places[name]])

    def std(self, name: str) -> float:
        place, moments = self._places[name], self.moments
        return float(np.sqrt(moments.m2[place] / max(moments.count[place], 1)))

    def only(self, names: Sequence[str]) -> "FeatureTable":
        """Some of the features, in the order of `names`."""
        rows = np.array([self._places[name] for name in names], dtype=int)
        a = self.moments
        moments = Moments(a.count[rows], a.mean[rows], a.m2[rows])
        return FeatureTable(tuple(names), self.num_samples, moments, self.counts[rows])

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each feature stands: of thousands, each is asked for by name."""
        return {name: place for place, name in enumerate(self.names)}

    def __add__(self, other: "FeatureTable") -> "FeatureTable":
        if not other.num_samples or not self.num_samples:
            return self if not other.num_samples else other
        if self.names != other.names:
            raise BadInputError(
                "Profiles with different features cannot be merged: "
                f"{_some(self.names)} and {_some(other.names)}."
            )
        return FeatureTable(
            self.names,
            self.num_samples + other.num_samples,
            self.moments + other.moments,
            self.counts + other.counts,
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
