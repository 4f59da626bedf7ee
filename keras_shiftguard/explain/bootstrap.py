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
    """Class frequencies of the reference.

    Args:
        frequencies: Share of the samples in each class `(classes,)`; they sum to 1.
        num_samples: Number of labels that the frequencies were counted from; 0 if the frequencies
            are exact.
    """

    frequencies: np.ndarray
    num_samples: int = 0

    def weights(self, labels: np.ndarray) -> np.ndarray:
        """Returns weights that give samples these class frequencies, `(samples,)`."""
        return self._weights(self.frequencies[None], labels)[0]

    def drawn(self, labels: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Returns weights for random draws of the counted labels, `(draws, samples)`."""
        if not self.num_samples:
            return self.weights(labels)[None]
        counted = rng.multinomial(self.num_samples, self.frequencies, draws)
        return self._weights(counted / self.num_samples, labels)

    def _weights(self, frequencies: np.ndarray, labels: np.ndarray) -> np.ndarray:
        counts = np.bincount(labels, minlength=len(self.frequencies))
        return np.asarray((frequencies / np.maximum(counts, 1))[:, labels])


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of several readings of one set of samples, with bootstrap draws.

    A reading is one version of the samples, for instance with some causes removed.

    Args:
        point: Accuracy on the samples themselves, `(readings, ...)`.
        draws: Accuracy on each bootstrap draw, `(readings, draws, ...)`. All readings
            share the draws.
    """

    point: np.ndarray
    draws: np.ndarray

    def __getitem__(self, index: int) -> "Accuracies":
        return Accuracies(self.point[index], self.draws[index])

    def minus(self, other: "Accuracies") -> "Accuracies":
        """Returns these accuracies minus those of `other`, draw by draw."""
        return Accuracies(self.point - other.point, self.draws - other.draws)

    @property
    def is_above_zero(self) -> bool:
        """Whether the 95 % interval of a difference is above 0."""
        return interval(self.draws)[0] > 0


class Resampling:
    """A bootstrap of one set of samples; every accuracy gets the same draws.

    Args:
        num_samples: Number of samples.
        labels: Class ids `(samples,)`; None if the classes are not needed.
        draws: Number of bootstrap draws.
        groups: Group number of each sample, `(samples,)`, if samples of one group depend on each
            other (frames of a clip, tiles of a slide). The bootstrap then draws whole groups.
    """

    def __init__(
        self,
        num_samples: int,
        labels: np.ndarray | None,
        draws: int = DRAWS,
        groups: np.ndarray | None = None,
    ) -> None:
        self.num_samples, self.labels, self.num_draws = num_samples, labels, draws
        self.groups = np.arange(num_samples) if groups is None else groups
        self.num_groups = int(self.groups.max()) + 1

    @property
    def share(self) -> float:
        """Number of independent samples, or groups, divided by the number of samples."""
        return self.num_groups / self.num_samples

    def accuracies(self, scores: np.ndarray, mix: Mix | None = None) -> Accuracies:
        """Returns the accuracy of each row of `scores`.

        Args:
            scores: `(readings, samples)`, from 0 (wrong) to 1 (right).
            mix: Class frequencies that the weights of the samples reproduce; classes without any
                sample are left out. None gives all samples the same weight.
        """
        point = np.ones(self.num_samples)
        if mix is not None and self.labels is not None:
            point = mix.weights(self.labels)
        draws = [w @ scores.T / w.sum(axis=1, keepdims=True) for w in self._weights(mix)]
        return Accuracies(scores @ point / point.sum(), np.concatenate(draws).T)

    def _weights(self, mix: Mix | None) -> Iterator[np.ndarray]:
        """Yields the weight of each sample in each draw, `(draws, samples)`, some draws at a time.

        Every call yields the same draws.
        """
        rng, of_mix = (np.random.default_rng(seed) for seed in (SEED, SEED + 1))
        units = self.num_groups
        at_once = max(1, min(self.num_draws, MAX_WEIGHTS_AT_ONCE // self.num_samples))
        for start in range(0, self.num_draws, at_once):
            rows = min(at_once, self.num_draws - start)
            picks = rng.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
            counts = np.bincount(picks.ravel(), minlength=rows * units).reshape(rows, units)
            weights = counts[:, self.groups].astype("float64")
            if mix is not None and self.labels is not None:
                weights *= mix.drawn(self.labels, rows, of_mix)
            yield weights


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Returns the percentile interval that holds 95 % of the draws."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
