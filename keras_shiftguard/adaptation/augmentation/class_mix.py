"""Image attributes of training, reweighted to the class mix of the target. NumPy only.

A different class mix alone changes image attributes, and augmentation must not
answer it: if shoes are darker than coats, a target with more shoes is darker.
The mix is estimated as in black-box shift estimation, with image attributes in
place of a classifier's predictions: if only the mix has changed, the attribute
means of the target are a mixture of the attribute means of the classes. On a
corrupted target, all predictions may be wrong, but a corruption leaves some
attributes unchanged. So the estimate is robust: it is the mixture that fits most
attributes, and a few may deviate by any amount.

Reference: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift
with Black Box Predictors", ICML 2018; the weights are those of Holland and
Welsch's "Robust Regression Using Iteratively Reweighted Least-Squares", 1977.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import MIN_SAMPLES, Coverage
from keras_shiftguard.detection.labels.label_shift import onto_simplex
from keras_shiftguard.profiles import FeatureTable, Moments

MAX_CLASSES = 20  # with more classes, some mixture fits any thirty attributes
MEAN_SLACK = 0.03  # standard deviations by which a class mean may differ between domains
DESCENT_STEPS = 300
REWEIGHTING_ROUNDS = 20
TAIL = 2.5  # standard errors beyond which an attribute has little influence
MAX_UNEXPLAINED = 0.4  # share of shifted attributes above which the estimate is not used


@dataclass(frozen=True)
class ClassAttributes:
    """Mean, standard deviation and number of samples of each attribute, by class.

    Args:
        mean: Means, `(classes, attributes)`.
        std: Standard deviations, `(classes, attributes)`.
        count: Numbers of samples that have the attribute, `(classes, attributes)`.
        shares: Frequencies of the classes in training, `(classes,)`.
    """

    mean: np.ndarray
    std: np.ndarray
    count: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, labels: np.ndarray) -> "ClassAttributes | None":
        """Computes the statistics; None with fewer than 2 or more than `MAX_CLASSES` classes.

        Args:
            values: Attributes of single samples, `(samples, attributes)`.
            labels: Class ids, `(samples,)`. Classes with fewer than `MIN_SAMPLES`
                samples are dropped.
        """
        ids, numbers = np.unique(labels, return_counts=True)
        ids = ids[numbers >= MIN_SAMPLES]
        if not 2 <= len(ids) <= MAX_CLASSES:
            return None
        known = np.abs(values) < 1e18
        mean, std, count = (np.zeros((len(ids), values.shape[1])) for _ in range(3))
        for row, i in enumerate(ids):
            own, own_known = values[labels == i], known[labels == i]
            number = np.maximum(own_known.sum(axis=0), 1)
            mean[row] = np.where(own_known, own, 0).sum(axis=0) / number
            square = np.where(own_known, (own - mean[row]) ** 2, 0).sum(axis=0)
            std[row], count[row] = np.sqrt(square / number), own_known.sum(axis=0)
        numbers = numbers[numbers >= MIN_SAMPLES]
        return cls(mean, std, count, numbers / numbers.sum())

    def mixture(self, frequencies: np.ndarray, like: FeatureTable) -> FeatureTable:
        """Returns the attribute moments that training would have with another class mix.

        Args:
            frequencies: Share of each class, `(classes,)`.
            like: Attributes of training. The sample counts of the result are the
                effective ones of the mixture, at most those of `like`.
        """
        p = frequencies[:, None] * (self.count > 0)
        p = p / np.maximum(p.sum(axis=0), 1e-12)
        mean = (p * self.mean).sum(axis=0)
        variance = (p * (self.std**2 + (self.mean - mean) ** 2)).sum(axis=0)
        error = (p**2 * self.std**2 / np.maximum(self.count, 1)).sum(axis=0)
        count = np.where(error > 0, variance / np.maximum(error, 1e-300), like.moments.count)
        count = np.minimum(count, like.moments.count)
        return replace(like, moments=Moments(count, mean, variance * count))

    def estimate_mix(self, target: FeatureTable, unit: np.ndarray) -> tuple[np.ndarray, float]:
        """Estimates the class mix of the target, robust to attributes that do not fit.

        Args:
            target: Attributes of the target.
            unit: Standard deviation of each attribute, `(attributes,)`.

        Returns:
            Frequencies of the classes, `(classes,)`, and their gain: by how much they
            lower the cost of the training mix, minus a BIC penalty for the number
            of classes. A positive gain favours the new mix.
        """
        usable = (self.count >= MIN_SAMPLES).all(axis=0) & (target.moments.count >= MIN_SAMPLES)
        if not usable.any():
            return self.shares, 0.0
        mean, std, count = (v[:, usable] for v in (self.mean, self.std, self.count))
        wanted, m = target.moments.mean[usable], target.moments.count[usable]
        slack = (MEAN_SLACK * unit[usable]) ** 2

        def misses(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            within = p @ std**2 / m + p**2 @ (std**2 / count)
            error = np.sqrt(within + slack)
            return (p @ mean - wanted) / error, error

        def cost(p: np.ndarray) -> float:
            return float(0.5 * TAIL**2 * np.log1p((misses(p)[0] / TAIL) ** 2).sum())

        p = self.shares
        for _ in range(REWEIGHTING_ROUNDS):
            miss, error = misses(p)
            weight = 1 / np.sqrt(1 + (miss / TAIL) ** 2) / error
            p = _nearest_mixture(mean * weight, wanted * weight, p)
        penalty = 0.5 * (len(p) - 1) * np.log(m.min() + 1)
        return p, cost(self.shares) - cost(p) - penalty


def _nearest_mixture(design: np.ndarray, wanted: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The `p` on the simplex that minimises `|p @ design - wanted|`, by accelerated descent."""
    gram, right = design @ design.T, design @ wanted
    allowed = np.full(len(start), True)
    rate = 1 / np.linalg.eigvalsh(gram)[-1]
    p = ahead = start
    for k in range(DESCENT_STEPS):
        new = onto_simplex(ahead - rate * (gram @ ahead - right), allowed)
        ahead = new + k / (k + 3) * (new - p)
        p = new
    return p


def match_class_mix(
    train: FeatureTable, target: FeatureTable, classes: ClassAttributes | None
) -> FeatureTable:
    """Returns the attributes of training, reweighted to the class mix of the target.

    Args:
        train: Attributes of training.
        target: Attributes of the target.
        classes: Attributes of training by class; None if they are not known.

    Returns:
        `train` itself where nothing is shifted, where the mix does not explain the
        target better, or where more than `MAX_UNEXPLAINED` of the attributes stay
        shifted, so that the estimate cannot be trusted.
    """
    coverage = Coverage.between(train, target)
    if classes is None or not coverage.shifted.any():
        return train
    mix, gain = classes.estimate_mix(target, coverage.unit)
    mixed = classes.mixture(mix, train)
    unexplained = Coverage.between(mixed, target).shifted.mean()
    return mixed if gain > 0 and unexplained <= MAX_UNEXPLAINED else train
