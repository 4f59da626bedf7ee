"""Accuracies under resampling: the sample is the unit, and all causes share a draw.

An accuracy is the mean of a score of each sample (1 where the model is right).
Where class frequencies are taken away as a cause, it is the mean over classes
instead, each counted as often as the reference has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

DRAWS = 1000
LEVEL = 0.95
SEED = 20
MOST_AT_ONCE = 4_000_000  # resampling weights in memory


@dataclass(frozen=True)
class Mix:
    """How often each class should occur.

    Args:
        frequencies: `(classes,)`, sums to 1.
        num_samples: How many labels that was counted from; 0 if it is exact.
    """

    frequencies: np.ndarray
    num_samples: int = 0


@dataclass(frozen=True)
class Accuracies:
    """The accuracy of several readings of one set of samples.

    Args:
        point: `(readings,)`, on the samples as they are.
        draws: `(readings, DRAWS)`, on samples drawn anew; the same draw for all.
    """

    point: np.ndarray
    draws: np.ndarray

    def __getitem__(self, index: int) -> "Accuracies":
        return Accuracies(self.point[index], self.draws[index])


class Resampling:
    """One set of bootstrap draws, for every accuracy of the same samples.

    Args:
        num_samples: How many samples there are.
        labels: Their classes `(samples,)`; None if they are not known.
        draws: How often to draw.
    """

    def __init__(self, num_samples: int, labels: np.ndarray | None, draws: int = DRAWS) -> None:
        self.num_samples, self.num_draws = num_samples, draws
        self.labels = labels
        self.order, self.starts = np.arange(num_samples), np.zeros(0, int)
        self.classes = np.zeros(0, int)
        if labels is not None:
            self.order = np.argsort(labels, kind="stable")
            self.classes, self.starts = np.unique(labels[self.order], return_index=True)

    def accuracies(self, scores: np.ndarray, mix: Mix | None = None) -> Accuracies:
        """The accuracy of each row of `scores`, `(readings, samples)`.

        Args:
            scores: 1 where the model is right, 0 where not, or anything between.
            mix: Frequencies that the classes shall have; None as they are.
        """
        if mix is None:
            point = scores.mean(axis=1)
            draws = [w @ scores.T / self.num_samples for w in self._weights()]
            return Accuracies(point, np.concatenate(draws).T)
        by_class = self.by_class(scores)
        wanted = self._mixes(mix)  # (1 + draws, classes)
        weighed = (by_class.draws * wanted[1:]).sum(axis=-1)
        return Accuracies((by_class.point * wanted[0]).sum(axis=-1), weighed)

    def by_class(self, scores: np.ndarray) -> Accuracies:
        """The same for each class: `(readings, classes)` and `(readings, draws, classes)`."""
        ordered = scores[:, self.order]
        one = np.ones((1, self.num_samples))
        point = self._per_class(ordered, one, None)[:, 0]
        draws = [self._per_class(ordered, w[:, self.order], point) for w in self._weights()]
        return Accuracies(point, np.concatenate(draws, axis=1))

    def _per_class(
        self, scores: np.ndarray, weights: np.ndarray, fallback: np.ndarray | None
    ) -> np.ndarray:
        totals = np.add.reduceat(weights, self.starts, axis=1)
        found = []
        for i, row in enumerate(scores):
            hits = np.add.reduceat(weights * row, self.starts, axis=1)
            # A class that a draw has missed is as it was.
            default = np.zeros_like(hits) if fallback is None else fallback[i] + 0 * hits
            found.append(np.divide(hits, totals, out=default, where=totals > 0))
        return np.stack(found)

    def _mixes(self, mix: Mix) -> np.ndarray:
        """The wanted frequencies of the classes that are there, as counted and drawn anew."""
        wanted = np.tile(mix.frequencies, (self.num_draws + 1, 1))
        if mix.num_samples:
            rng = np.random.default_rng(SEED + 1)
            drawn = rng.multinomial(mix.num_samples, mix.frequencies, self.num_draws)
            wanted[1:] = drawn / mix.num_samples
        known = self.classes < len(mix.frequencies)
        there = np.where(known, wanted[:, np.minimum(self.classes, len(mix.frequencies) - 1)], 0.0)
        return there / np.maximum(there.sum(axis=1, keepdims=True), 1e-12)

    def _weights(self) -> Iterator[np.ndarray]:
        """How often each sample was drawn, some draws at a time; always the same."""
        rng = np.random.default_rng(SEED)
        at_once = max(1, min(self.num_draws, MOST_AT_ONCE // self.num_samples))
        for start in range(0, self.num_draws, at_once):
            rows = min(at_once, self.num_draws - start)
            picks = rng.integers(0, self.num_samples, (rows, self.num_samples))
            picks += np.arange(rows)[:, None] * self.num_samples
            counts = np.bincount(picks.ravel(), minlength=rows * self.num_samples)
            yield counts.reshape(rows, self.num_samples).astype("float64")


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The middle `LEVEL` of the draws."""
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def wilson(share: float, number: int) -> tuple[float, float]:
    """The 95 % interval of a share that was counted in `number` samples (Wilson 1927)."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = np.sqrt(z2 * (share * (1 - share) / number + z2 / (4 * number**2))) / (1 + z2 / number)
    return float(middle - half), float(middle + half)


def difference(first: float, number: int, second: float, other: int) -> tuple[float, float]:
    """The interval of `first - second`, two shares of samples that are not the same.

    Newcombe's hybrid of two Wilson intervals (1998, method 10): right also where
    20 of 20 are right. A `number` of 0 stands for a share that is exact.
    """
    low1, high1 = wilson(first, number) if number else (first, first)
    low2, high2 = wilson(second, other) if other else (second, second)
    down = np.hypot(first - low1, high2 - second)
    up = np.hypot(high1 - first, second - low2)
    return float(first - second - down), float(first - second + up)


def paired_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The interval of `mean(first) - mean(second)` over the same samples.

    Agresti and Min 2005: half a sample is added to each cell of the table of
    right and wrong, so that two equal columns still have an interval.
    """
    number = len(first)
    wins = float((first * (1 - second)).sum()) + 0.5
    losses = float((second * (1 - first)).sum()) + 0.5
    total = number + 2
    middle = (wins - losses) / total
    half = 1.96 * np.sqrt(max(wins + losses - (wins - losses) ** 2 / total, 0.0)) / total
    return float(max(middle - half, -1.0)), float(min(middle + half, 1.0))
