"""Training as it would look with the class mix of the target. NumPy only.

Shoes are darker than coats, so a target with more shoes is darker, and no
augmentation is called for. The mix is estimated as black-box shift estimation
does, with the attributes in the place of a classifier's predictions: the means
of the target are a mixture of the means of the classes, where nothing but the
mix has changed. Predictions on a corrupted target are wrong in all directions;
of the attributes, a corruption leaves some alone. So the estimate is robust: the
mixture that fits most attributes, and lets a few be as far off as they are.

Reference: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift
with Black Box Predictors", ICML 2018; the weights are those of Holland and
Welsch's "Robust Regression Using Iteratively Reweighted Least-Squares", 1977.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import FEWEST, Coverage
from keras_shiftguard.detection.labels.label_shift import onto_simplex
from keras_shiftguard.profiles import FeatureTable, Moments

MOST_CLASSES = 20  # with more, thirty attributes could be mixed to anything
SLACK = 0.03  # deviations that a mean may be off for reasons of its own
STEPS = 300  # of the descent
ROUNDS = 20  # of reweighting
TAIL = 2.5  # standard errors; what is further off hardly pulls any more
MOST_UNEXPLAINED = 0.4  # of the attributes: with more, the mix is not known


@dataclass(frozen=True)
class ClassAttributes:
    """Mean, spread and number of samples of each attribute, by class.

    Args:
        mean: `(classes, attributes)`.
        std: The same.
        count: The same.
        shares: Frequencies of the classes, `(classes,)`.
    """

    mean: np.ndarray
    std: np.ndarray
    count: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, labels: np.ndarray) -> "ClassAttributes | None":
        """Of single samples; None where there are not enough, or too many classes."""
        ids, numbers = np.unique(labels, return_counts=True)
        ids = ids[numbers >= FEWEST]
        if not 2 <= len(ids) <= MOST_CLASSES:
            return None
        known = np.abs(values) < 1e18
        mean, std, count = (np.zeros((len(ids), values.shape[1])) for _ in range(3))
        for row, i in enumerate(ids):
            mine, there = values[labels == i], known[labels == i]
            number = np.maximum(there.sum(axis=0), 1)
            mean[row] = np.where(there, mine, 0).sum(axis=0) / number
            square = np.where(there, (mine - mean[row]) ** 2, 0).sum(axis=0)
            std[row], count[row] = np.sqrt(square / number), there.sum(axis=0)
        numbers = numbers[numbers >= FEWEST]
        return cls(mean, std, count, numbers / numbers.sum())

    def mixed(self, frequencies: np.ndarray, like: FeatureTable) -> FeatureTable:
        """Moments of such a mix, as those of a table of so many equal samples."""
        p = frequencies[:, None] * (self.count > 0)
        p = p / np.maximum(p.sum(axis=0), 1e-12)
        mean = (p * self.mean).sum(axis=0)
        variance = (p * (self.std**2 + (self.mean - mean) ** 2)).sum(axis=0)
        error = (p**2 * self.std**2 / np.maximum(self.count, 1)).sum(axis=0)
        count = np.where(error > 0, variance / np.maximum(error, 1e-300), like.moments.count)
        count = np.minimum(count, like.moments.count)
        return replace(like, moments=Moments(count, mean, variance * count))

    def explanation(self, target: FeatureTable, unit: np.ndarray) -> tuple[np.ndarray, float]:
        """The mix that leaves as few attributes as possible unexplained.

        Returns:
            Frequencies of the classes, and by how much they are the better
            explanation than the mix of training, beyond what their number buys.
        """
        usable = (self.count >= FEWEST).all(axis=0) & (target.moments.count >= FEWEST)
        if not usable.any():
            return self.shares, 0.0
        mean, std, count = (v[:, usable] for v in (self.mean, self.std, self.count))
        wanted, m = target.moments.mean[usable], target.moments.count[usable]
        slack = (SLACK * unit[usable]) ** 2

        def misses(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            within = p @ std**2 / m + p**2 @ (std**2 / count)
            error = np.sqrt(within + slack)
            return (p @ mean - wanted) / error, error

        def cost(p: np.ndarray) -> float:
            return float(0.5 * TAIL**2 * np.log1p((misses(p)[0] / TAIL) ** 2).sum())

        p = self.shares
        for _ in range(ROUNDS):
            miss, error = misses(p)
            weight = 1 / np.sqrt(1 + (miss / TAIL) ** 2) / error
            p = _nearest_mixture(mean * weight, wanted * weight, p)
        bought = 0.5 * (len(p) - 1) * np.log(m.min() + 1)
        return p, cost(self.shares) - cost(p) - bought


def _nearest_mixture(design: np.ndarray, wanted: np.ndarray, start: np.ndarray) -> np.ndarray:
    """`p` on the simplex with the least `|p @ design - wanted|` (accelerated descent)."""
    gram, right = design @ design.T, design @ wanted
    allowed = np.full(len(start), True)
    rate = 1 / np.linalg.eigvalsh(gram)[-1]
    p = ahead = start
    for k in range(STEPS):
        after = onto_simplex(ahead - rate * (gram @ ahead - right), allowed)
        ahead = after + k / (k + 3) * (after - p)
        p = after
    return p


def with_mix_of(
    target: FeatureTable, train: FeatureTable, classes: ClassAttributes | None
) -> FeatureTable:
    """Training with the class mix of the target, where the mix explains the target better.

    Training as it is where too much would stay unexplained to know the mix.
    """
    coverage = Coverage.between(train, target)
    if classes is None or not coverage.shifted.any():
        return train
    mix, gain = classes.explanation(target, coverage.unit)
    mixed = classes.mixed(mix, train)
    unexplained = Coverage.between(mixed, target).shifted.mean()
    return mixed if gain > 0 and unexplained <= MOST_UNEXPLAINED else train
