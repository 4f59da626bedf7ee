"""Image attributes of training, reweighted to the class mix of the target. NumPy only.

A different class mix alone changes image attributes: if shoes are darker than
coats, a target with more shoes is darker. Augmentation must not imitate such a
difference. The mix is estimated as in black-box shift estimation, with image attributes in
place of a classifier's predictions: if only the mix has changed, the attribute
means of the target are a mixture of the attribute means of the classes. On a
corrupted target, all predictions may be wrong, but a corruption leaves some
attributes unchanged. So the estimate is robust: the mixture has to fit most
attributes, and a few may deviate by any amount.

Reference: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift
with Black Box Predictors", ICML 2018; the weights of the attributes are the Cauchy
weights of Holland and Welsch, "Robust Regression Using Iteratively Reweighted
Least-Squares", 1977.
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import MIN_SAMPLES, Coverage
from keras_shiftguard.detection.labels.label_shift import onto_simplex
from keras_shiftguard.profiles import FeatureTable, Moments

MAX_CLASSES = 20  # with more, some class mix fits almost any means of the thirty attributes
# Tolerated difference of a class mean between the domains, in `unit`s. Its square is added to the
# squared standard error.
MEAN_SLACK = 0.03
DESCENT_STEPS = 300  # in each round, to find the best mixture for given weights
REWEIGHTING_ROUNDS = 20  # how often the attributes get new weights
TAIL = 2.5  # misfit in standard errors above which an attribute has little weight
# The estimate is not used if, after reweighting training to it, more than this share of the
# attributes is still shifted.
MAX_UNEXPLAINED = 0.4


@dataclass(frozen=True)
class ClassAttributes:
    """Mean, standard deviation and number of samples of each attribute in each class.

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
        """Returns the statistics; None for fewer than 2 or more than `MAX_CLASSES` classes.

        Args:
            values: Attributes of single samples, `(samples, attributes)`. A value that
                is not finite counts as missing.
            labels: Class ids, `(samples,)`. Classes with fewer than `MIN_SAMPLES`
                samples are dropped.
        """
        ids, numbers = np.unique(labels, return_counts=True)
        ids = ids[numbers >= MIN_SAMPLES]
        if not 2 <= len(ids) <= MAX_CLASSES:
            return None
        known = np.abs(values) < 1e18  # False for NaN and infinity
        mean, std, count = (np.zeros((len(ids), values.shape[1])) for _ in range(3))
        for row, i in enumerate(ids):
            own, own_known = values[labels == i], known[labels == i]
            number = np.maximum(own_known.sum(axis=0), 1)
            mean[row] = np.where(own_known, own, 0).sum(axis=0) / number
            squares = np.where(own_known, (own - mean[row]) ** 2, 0).sum(axis=0)
            std[row], count[row] = np.sqrt(squares / number), own_known.sum(axis=0)
        numbers = numbers[numbers >= MIN_SAMPLES]
        return cls(mean, std, count, numbers / numbers.sum())

    def mixture(self, frequencies: np.ndarray, like: FeatureTable) -> FeatureTable:
        """Returns the attribute moments that training would have with another class mix.

        Args:
            frequencies: Share of each class in the other mix, `(classes,)`.
            like: Attributes of training as measured.

        Returns:
            Attributes with the names of `like`. Their counts are effective sample sizes: a
            plain mean of so many samples would have the same standard error. The counts are
            at most those in `like`.
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
        """Returns an estimate of the class mix of the target, robust to attributes that do not fit.

        Args:
            target: Attributes of the target.
            unit: `Coverage.unit`: about the standard deviation of each attribute,
                `(attributes,)`.

        Returns:
            The frequencies of the classes, `(classes,)`, and their gain. The gain is
            the misfit of the training mix minus that of these frequencies, minus the
            penalty of the Bayesian information criterion for the number of classes. If
            it is positive, these frequencies explain the target better.
        """
        usable = (self.count >= MIN_SAMPLES).all(axis=0) & (target.moments.count >= MIN_SAMPLES)
        if not usable.any():
            return self.shares, 0.0
        mean, std, count = (v[:, usable] for v in (self.mean, self.std, self.count))
        target_mean = target.moments.mean[usable]
        target_count = target.moments.count[usable]
        slack = (MEAN_SLACK * unit[usable]) ** 2

        def misfits(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Returns mixture minus target in standard errors, and the standard errors."""
            sampling = p @ std**2 / target_count + p**2 @ (std**2 / count)
            error = np.sqrt(sampling + slack)
            return (p @ mean - target_mean) / error, error

        def cost(p: np.ndarray) -> float:
            return float(0.5 * TAIL**2 * np.log1p((misfits(p)[0] / TAIL) ** 2).sum())

        p = self.shares
        for _ in range(REWEIGHTING_ROUNDS):
            misfit, error = misfits(p)
            weight = 1 / np.sqrt(1 + (misfit / TAIL) ** 2) / error
            p = _nearest_mixture(mean * weight, target_mean * weight, p)
        penalty = 0.5 * (len(p) - 1) * np.log(target_count.min() + 1)
        return p, cost(self.shares) - cost(p) - penalty


def _nearest_mixture(means: np.ndarray, target: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Returns the class mix `p` that minimizes `|p @ means - target|`.

    The method is accelerated projected gradient descent.

    Args:
        means: Means of each class times the weights of the attributes, `(classes,
            attributes)`.
        target: Means of the target times the same weights, `(attributes,)`.
        start: The mix to start from, `(classes,)`.
    """
    gram, right = means @ means.T, means @ target
    allowed = np.full(len(start), True)  # no class is excluded
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
        The reweighted attributes. `train` itself is returned if `classes` is None, if no
        attribute is shifted, if the estimated mix does not explain the target better, or if
        more than the share `MAX_UNEXPLAINED` of the attributes stays shifted.
    """
    coverage = Coverage.between(train, target)
    if classes is None or not coverage.shifted.any():
        return train
    mix, gain = classes.estimate_mix(target, coverage.unit)
    mixed = classes.mixture(mix, train)
    unexplained = Coverage.between(mixed, target).shifted.mean()
    return mixed if gain > 0 and unexplained <= MAX_UNEXPLAINED else train
