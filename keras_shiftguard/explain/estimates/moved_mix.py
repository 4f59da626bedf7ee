"""`MovedMix`: the accuracy of a classifier if nothing but the class mix differs from a reference.

The class mix is estimated from the predicted classes and the mistakes on the labelled reference
(black-box shift estimation). Then the accuracies of the classes are averaged over this mix. This
holds only if the samples of each class are as in the reference, which `is_all` tests.

Reference: Lipton et al., "Detecting and correcting for label shift with black box predictors",
ICML 2018.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np

ROUNDS = 100  # of expectation-maximization. A convention.
DRAWS = 30  # of the bootstrap. A convention.
MIN_IN_CLASS = 5  # samples of a class, at least, for its accuracy or its confidence. A convention.
MIN_SAMPLES = 50  # with fewer samples, no accuracy is estimated. A convention.
# Differences in standard errors, as the root of their mean square over the predicted classes: the
# largest of the confidences if only the mix differs, and the smallest of a mix that has moved.
# Chosen on digits, Fashion-MNIST and photos, each with 51 corrupted copies and 40 other mixes.
# Conventions, checked in `examples/benchmarks/accuracy_estimate.py`.
MAX_CONFIDENCE_ERRORS, MIN_MIX_ERRORS = 2.0, 1.5
# Largest share of samples of which the reference has too few to compare. A convention.
MAX_LEFT_OUT = 0.02


@dataclass(frozen=True)
class MovedMix:
    """The predictions on a labelled reference, from which the accuracy with another mix follows."""

    confidence: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    classes: int

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> Self | None:
        """Returns the predictions on a reference; None if a class has too few samples."""
        classes = probabilities.shape[1]
        counts = np.bincount(labels, minlength=classes)
        if counts[counts > 0].min() < MIN_IN_CLASS:
            return None
        return cls(probabilities.max(axis=1), probabilities.argmax(axis=1), labels, classes)

    def accuracy(self, probabilities: np.ndarray) -> float:
        """Returns the accuracy on samples without labels, `(samples, classes)`."""
        return _solve(self.predicted, self.labels, probabilities.argmax(axis=1), self.classes)[0]

    def is_all(self, probabilities: np.ndarray) -> bool:
        """Whether the class mix of samples without labels differs, and nothing else seems to.

        The samples that are predicted to be of a class must have the confidence of those of the
        reference, once these are weighted to the other mix.
        """
        confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
        if len(predicted) < MIN_SAMPLES:
            return False
        shares, before = (
            np.bincount(each, minlength=self.classes) / len(each)
            for each in (predicted, self.predicted)
        )
        sizes = np.array([len(predicted), len(self.labels)])
        pooled = np.average([shares, before], axis=0, weights=sizes)
        seen = pooled > 0
        moved = (shares - before)[seen] / np.sqrt(pooled[seen] * (1 / sizes).sum())
        if _root_mean_square(moved) <= MIN_MIX_ERRORS:
            return False
        mix = _solve(self.predicted, self.labels, predicted, self.classes)[1]
        counts = np.bincount(self.labels, minlength=self.classes)
        weights = (mix / np.maximum(counts, 1))[self.labels]
        errors, left_out = [], 0
        for k in np.unique(predicted):
            here, there = confidence[predicted == k], self.confidence[self.predicted == k]
            w = weights[self.predicted == k]
            if min(len(here), len(there)) < MIN_IN_CLASS or not w.sum():
                left_out += len(here) if len(there) < MIN_IN_CLASS else 0
                continue
            w = w / w.sum()
            mean = float(w @ there)
            spread = float(w @ (there - mean) ** 2)
            noise = here.var() / len(here) + spread * float((w**2).sum())
            errors.append((here.mean() - mean) / np.sqrt(max(noise, 1e-12)))
        if not errors or left_out > MAX_LEFT_OUT * len(predicted):
            return False
        return _root_mean_square(np.array(errors)) < MAX_CONFIDENCE_ERRORS

    def interval(self, probabilities: np.ndarray, alpha: float) -> tuple[float, float]:
        """Returns an interval that holds the accuracy with probability 1 - alpha."""
        rng, predicted = np.random.default_rng(0), probabilities.argmax(axis=1)
        value, size, known = self.accuracy(probabilities), len(predicted), len(self.labels)
        drawn = []
        for _ in range(DRAWS):
            of_reference = rng.integers(0, known, known)
            here = predicted[rng.integers(0, size, size)]
            there = self.predicted[of_reference], self.labels[of_reference]
            drawn.append(_solve(*there, here, self.classes)[0])
        # A class without any mistake on the reference may still have some.
        smooth = (value * size + 1) / (size + 2)
        variance = np.var(drawn) + smooth * (1 - smooth) * (1 / size + 1 / known)
        margin = NormalDist().inv_cdf(1 - alpha / 2) * float(np.sqrt(variance))
        return max(value - margin, 0.0), min(value + margin, 1.0)


def _solve(of_reference: Any, labels: Any, predicted: Any, classes: int) -> tuple[float, Any]:
    """Returns the accuracy and the class mix of samples without labels."""
    counts = np.bincount(labels, minlength=classes)
    mistakes = np.zeros((classes, classes))  # the predicted class, the true class
    np.add.at(mistakes, (of_reference, labels), 1)
    mistakes = mistakes / np.maximum(counts, 1)
    shares, mix = np.bincount(predicted, minlength=classes) / len(predicted), counts / counts.sum()
    for _ in range(ROUNDS):
        mix = mix * (mistakes.T @ (shares / np.maximum(mistakes @ mix, 1e-12)))
        mix /= max(mix.sum(), 1e-12)
    return float(mix @ np.diag(mistakes)), mix


def _root_mean_square(x: np.ndarray) -> float:
    return float(np.sqrt((x**2).mean()))
