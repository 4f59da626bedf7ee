"""Bootstrap of accuracies, and confidence intervals of accuracies and their differences.

An accuracy is the mean of the scores of the samples; a score is 1 if the model is right, else 0.
With label shift removed, an accuracy is the mean of the accuracies of the classes, weighted by
the class frequencies of the reference. Each draw holds the same samples for every cause of the gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

DRAWS = 1000  # bootstrap draws
LEVEL = 0.95  # share of the bootstrap draws that an interval holds
SEED = 20
MAX_WEIGHTS_AT_ONCE = 4_000_000  # draws times samples in memory: 32 MB in float64


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
        self.num_samples, self.num_draws = num_samples, draws
        self.groups = groups
        self.labels = labels
        # `order` sorts the samples by class; each class begins at one of the `starts`.
        self.order, self.starts = np.arange(num_samples), np.zeros(0, int)
        self.classes = np.zeros(0, int)
        if labels is not None:
            self.order = np.argsort(labels, kind="stable")
            self.classes, self.starts = np.unique(labels[self.order], return_index=True)

    @property
    def share(self) -> float:
        """Number of independent samples, or groups, divided by the number of samples."""
        return 1.0 if self.groups is None else (int(self.groups.max()) + 1) / self.num_samples

    def accuracies(self, scores: np.ndarray, mix: Mix | None = None) -> Accuracies:
        """Returns the accuracy of each row of `scores`.

        Args:
            scores: `(readings, samples)`, from 0 (wrong) to 1 (right).
            mix: Class frequencies that the weights of the samples reproduce; None gives all samples
                the same weight.
        """
        if mix is None:
            point = scores.mean(axis=1)
            draws = [w @ scores.T / w.sum(axis=1, keepdims=True) for w in self._weights()]
            return Accuracies(point, np.concatenate(draws).T)
        by_class = self.by_class(scores)
        shares = self._class_shares(mix)
        weighted = (by_class.draws * shares[1:]).sum(axis=-1)
        return Accuracies((by_class.point * shares[0]).sum(axis=-1), weighted)

    def by_class(self, scores: np.ndarray) -> Accuracies:
        """Returns the accuracy of each class.

        Args:
            scores: `(readings, samples)`, from 0 (wrong) to 1 (right).

        Returns:
            `Accuracies` of shapes `(readings, classes)` and `(readings, draws, classes)`.
        """
        ordered = scores[:, self.order]
        each_once = np.ones((1, self.num_samples))
        point = self._per_class(ordered, each_once, None)[:, 0]
        draws = [self._per_class(ordered, w[:, self.order], point) for w in self._weights()]
        return Accuracies(point, np.concatenate(draws, axis=1))

    def _per_class(
        self, scores: np.ndarray, weights: np.ndarray, fallback: np.ndarray | None
    ) -> np.ndarray:
        """Returns the accuracy of each class, `(readings, draws, classes)`.

        Args:
            scores: `(readings, samples)`, sorted by class.
            weights: How often each draw holds each sample, `(draws, samples)`, sorted
                by class.
            fallback: Accuracy to use if a draw holds no sample of a class,
                `(readings, classes)`; None if every draw holds all classes.
        """
        totals = np.add.reduceat(weights, self.starts, axis=1)
        found = []
        for i, row in enumerate(scores):
            hits = np.add.reduceat(weights * row, self.starts, axis=1)
            default = np.zeros_like(hits) if fallback is None else fallback[i] + 0 * hits
            found.append(np.divide(hits, totals, out=default, where=totals > 0))
        return np.stack(found)

    def _class_shares(self, mix: Mix) -> np.ndarray:
        """Returns the weights of the classes in `self.classes`, `(1 + draws, classes)`.

        The first row holds the frequencies of `mix`, scaled to sum to 1 over these
        classes. The other rows hold a random draw of the frequencies, with the error of
        `mix.num_samples` counted labels; if `mix` is exact, they equal the first row.
        """
        shares = np.tile(mix.frequencies, (self.num_draws + 1, 1))
        if mix.num_samples:
            rng = np.random.default_rng(SEED + 1)
            drawn = rng.multinomial(mix.num_samples, mix.frequencies, self.num_draws)
            shares[1:] = drawn / mix.num_samples
        known = self.classes < len(mix.frequencies)
        last = len(mix.frequencies) - 1
        present = np.where(known, shares[:, np.minimum(self.classes, last)], 0.0)
        return present / np.maximum(present.sum(axis=1, keepdims=True), 1e-12)

    def _weights(self) -> Iterator[np.ndarray]:
        """Yields the count of each sample in each draw, `(draws, samples)`, some draws at a time.

        Every call yields the same draws.
        """
        rng = np.random.default_rng(SEED)
        units = self.num_samples if self.groups is None else int(self.groups.max()) + 1
        at_once = max(1, min(self.num_draws, MAX_WEIGHTS_AT_ONCE // self.num_samples))
        for start in range(0, self.num_draws, at_once):
            rows = min(at_once, self.num_draws - start)
            picks = rng.integers(0, units, (rows, units))
            picks += np.arange(rows)[:, None] * units
            counts = np.bincount(picks.ravel(), minlength=rows * units).reshape(rows, units)
            yield (counts if self.groups is None else counts[:, self.groups]).astype("float64")


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Returns the percentile interval that holds the share `LEVEL` of the draws."""
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def wilson(share: float, number: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share that was counted in `number` samples (Wilson 1927)."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = np.sqrt(z2 * (share * (1 - share) / number + z2 / (4 * number**2))) / (1 + z2 / number)
    return float(middle - half), float(middle + half)


def difference(
    first: float, first_number: int, second: float, second_number: int
) -> tuple[float, float]:
    """Returns the 95 % interval of `first - second`, two shares of independent samples.

    The method is Newcombe's hybrid of two Wilson intervals (1998, method 10). It is valid for
    shares of 0 or 1 as well.

    Args:
        first: A share.
        first_number: Number of samples that `first` was counted in; 0 if `first` is exact.
        second: Another share.
        second_number: Number of samples that `second` was counted in; 0 if `second` is exact.
    """
    low1, high1 = wilson(first, first_number) if first_number else (first, first)
    low2, high2 = wilson(second, second_number) if second_number else (second, second)
    down = np.hypot(first - low1, high2 - second)
    up = np.hypot(high1 - first, second - low2)
    return float(first - second - down), float(first - second + up)


def paired_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Returns the 95 % interval of `mean(first) - mean(second)` over the same samples.

    The method is that of Agresti and Min (2005): half a sample is added to each of the four
    combinations of `first` and `second` being right or wrong. So the width of the interval is above
    0 even if all scores are equal.

    Args:
        first: Scores `(samples,)`, from 0 to 1.
        second: Other scores of the same samples.
    """
    number = len(first)
    wins = float((first * (1 - second)).sum()) + 0.5
    losses = float((second * (1 - first)).sum()) + 0.5
    total = number + 2
    middle = (wins - losses) / total
    half = 1.96 * np.sqrt(max(wins + losses - (wins - losses) ** 2 / total, 0.0)) / total
    return float(max(middle - half, -1.0)), float(min(middle + half, 1.0))
