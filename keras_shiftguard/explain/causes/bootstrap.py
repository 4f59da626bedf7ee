"""Bootstrap of accuracies.

An accuracy is the mean of the scores of the samples; a score is 1 if the model is right, else 0.
With label shift removed, the mean is weighted so that the classes have the frequencies of the
reference. Each draw holds the same samples for every cause of the gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

DRAWS = 1000  # bootstrap draws. A convention.
SEED = 20  # fixed, so that a report can be repeated. A convention.
MAX_WEIGHTS_AT_ONCE = 4_000_000  # draws times samples in memory: 32 MB in float64. A convention.


@dataclass(frozen=True)
class Mix:
    """Class frequencies of the reference, which weights give to labelled samples."""

    frequencies: np.ndarray  # share of the samples in each class `(classes,)`; they sum to 1
    # Class ids of the samples that are weighted, `(samples,)`. Classes without any sample are left
    # out.
    labels: np.ndarray
    counted: int = 0  # number of labels that the frequencies were counted from; 0 if they are exact

    def weights(self, frequencies: np.ndarray | None = None) -> np.ndarray:
        """Returns weights that give the samples some frequencies, `(..., samples)`."""
        wanted = self.frequencies if frequencies is None else frequencies
        counts = np.bincount(self.labels, minlength=len(self.frequencies))
        return np.asarray((wanted / np.maximum(counts, 1))[..., self.labels])

    def drawn(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Returns weights for random draws of the counted labels, `(draws, samples)`."""
        if not self.counted:
            return self.weights()[None]
        return self.weights(rng.multinomial(self.counted, self.frequencies, draws) / self.counted)


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of several readings of one set of samples, with bootstrap draws.

    A reading is one version of the samples, for instance with some causes removed.
    """

    point: np.ndarray  # accuracy on the samples themselves, `(readings, ...)`
    # Accuracy on each bootstrap draw, `(readings, draws, ...)`. All readings share the draws.
    draws: np.ndarray

    def __getitem__(self, index: int) -> "Accuracies":
        return Accuracies(self.point[index], self.draws[index])

    def minus(self, other: "Accuracies") -> "Accuracies":
        """Returns these accuracies minus those of `other`, draw by draw."""
        return Accuracies(self.point - other.point, self.draws - other.draws)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of one accuracy, or of a difference of two."""
        return interval(self.draws)


class Resampling:
    """A bootstrap of one set of samples; every accuracy gets the same draws.

    Args:
        num_samples: Number of samples.
        groups: Group number of each sample, `(samples,)`, if samples of one group depend on each
            other (frames of a clip, tiles of a slide). The bootstrap then draws whole groups.
    """

    def __init__(self, num_samples: int, groups: np.ndarray | None = None) -> None:
        self.num_samples = num_samples
        self.groups = np.arange(num_samples) if groups is None else groups
        self.num_groups = int(self.groups.max()) + 1

    @property
    def share(self) -> float:
        """Number of independent samples, or groups, divided by the number of samples."""
        return self.num_groups / self.num_samples

    def accuracies(self, scores: np.ndarray, mix: Mix | None = None) -> Accuracies:
        """Returns the accuracy of each row of `scores`, `(readings, samples)`, from 0 to 1.

        Without a mix, all samples have the same weight.
        """
        point = np.ones(self.num_samples) if mix is None else mix.weights()
        draws = [w @ scores.T / w.sum(axis=1, keepdims=True) for w in self._weights(mix)]
        return Accuracies(scores @ point / point.sum(), np.concatenate(draws).T)

    def _weights(self, mix: Mix | None) -> Iterator[np.ndarray]:
        """Yields the weight of each sample in each draw, `(draws, samples)`, some draws at a time.

        Every call yields the same draws.
        """
        rng, of_mix = (np.random.default_rng(seed) for seed in (SEED, SEED + 1))
        units = self.num_groups
        at_once = max(1, min(DRAWS, MAX_WEIGHTS_AT_ONCE // self.num_samples))
        for start in range(0, DRAWS, at_once):
            rows = min(at_once, DRAWS - start)
            picks = rng.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
            counts = np.bincount(picks.ravel(), minlength=rows * units).reshape(rows, units)
            weights = counts[:, self.groups].astype("float64")
            yield weights if mix is None else weights * mix.drawn(rows, of_mix)


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Returns the percentile interval that holds 95 % of the draws."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
