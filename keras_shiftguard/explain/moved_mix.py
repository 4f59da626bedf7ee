"""`MovedMix`: the accuracy of a classifier if nothing but the class mix differs from a reference.

The class mix is estimated from the predicted classes and the mistakes on the labelled reference
(black-box shift estimation). Then the accuracies of the classes are averaged over this mix. This
holds only if the samples of each class are as in the reference. If they are, the samples that are
predicted to be of one class have the same confidence as those of the reference, once these are
weighted to the other mix. So the confidences are compared.

Reference: Lipton et al., "Detecting and correcting for label shift with black box predictors",
ICML 2018.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

ROUNDS = 200  # of expectation-maximisation
MIN_IN_CLASS = 5  # samples of a class, at least, for its accuracy or its confidence
# Differences in standard errors, as the root of their mean square over the predicted classes: the
# largest of the confidences if only the mix differs, and the smallest of a mix that has moved.
# Chosen on digits, Fashion-MNIST and photos, each with 51 corrupted copies and 40 other mixes.
MAX_CONFIDENCE_ERRORS, MIN_MIX_ERRORS = 2.0, 1.5


@dataclass(frozen=True)
class MixEstimate:
    """The accuracy with another class mix.

    Args:
        accuracy: The accuracy.
        error: Its standard error.
        has_moved: Whether the predicted classes have another mix than on the reference.
        explains: Whether nothing but the mix seems to differ, by the confidences.
    """

    accuracy: float
    error: float
    has_moved: bool
    explains: bool

    @property
    def is_all(self) -> bool:
        """Whether the class mix differs, and nothing else seems to."""
        return self.has_moved and self.explains

    def interval(self, alpha: float, beyond: float) -> tuple[float, float]:
        """Returns an interval that holds the accuracy with probability 1 - alpha.

        Args:
            alpha: Probability that the accuracy is outside.
            beyond: The largest error by something else that was taken for another mix.
        """
        margin = float(np.hypot(NormalDist().inv_cdf(1 - alpha / 2) * self.error, beyond))
        return max(self.accuracy - margin, 0.0), min(self.accuracy + margin, 1.0)


@dataclass(frozen=True)
class MovedMix:
    """The predictions on a labelled reference, from which the accuracy with another mix follows.

    Args:
        confidence: Largest class probability of each sample of the reference, `(samples,)`.
        predicted: Predicted class of each sample.
        labels: Class of each sample.
        classes: Number of classes.
    """

    confidence: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    classes: int

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> Self | None:
        """Returns the predictions on a reference; None if a class has too few samples.

        Args:
            probabilities: `(samples, classes)`.
            labels: Class ids, `(samples,)`.
        """
        classes = probabilities.shape[1]
        counts = np.bincount(labels, minlength=classes)
        if counts[counts > 0].min() < MIN_IN_CLASS:
            return None
        return cls(probabilities.max(axis=1), probabilities.argmax(axis=1), labels, classes)

    def estimate(self, probabilities: np.ndarray) -> MixEstimate:
        """Returns the accuracy on samples without labels, `(samples, classes)`."""
        confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
        size, counts = len(predicted), np.bincount(self.labels, minlength=self.classes)
        present = np.flatnonzero(counts)
        mistakes = np.zeros((self.classes, self.classes))  # predicted class, true class
        np.add.at(mistakes, (self.predicted, self.labels), 1)
        mistakes = mistakes[:, present] / counts[present]
        shares = np.bincount(predicted, minlength=self.classes) / size
        mix = counts[present] / counts.sum()
        before = mistakes @ mix
        for _ in range(ROUNDS):
            mix = mix * (mistakes.T @ (shares / np.maximum(mistakes @ mix, 1e-12)))
            mix /= max(mix.sum(), 1e-12)
        right = mistakes[present, np.arange(len(present))]
        accuracy = float(mix @ right)
        variance = float((mix**2 * right * (1 - right) / counts[present]).sum())
        variance += accuracy * (1 - accuracy) / size
        pooled = np.maximum((shares * size + before * len(self.labels)), 1e-12)
        pooled /= size + len(self.labels)
        noise = pooled * (1 / size + 1 / len(self.labels))
        moved = _root_mean_square((shares - before) / np.sqrt(noise))
        weights = np.zeros(self.classes)
        weights[present] = mix / counts[present]
        return MixEstimate(
            accuracy=accuracy,
            error=float(np.sqrt(variance)),
            has_moved=moved > MIN_MIX_ERRORS,
            explains=self._have_same_confidence(confidence, predicted, weights[self.labels]),
        )

    def _have_same_confidence(
        self, confidence: np.ndarray, predicted: np.ndarray, weights: np.ndarray
    ) -> bool:
        """Whether the confidences agree with those of the reference, by predicted class."""
        errors = []
        for k in np.unique(predicted):
            here, there = confidence[predicted == k], self.confidence[self.predicted == k]
            w = weights[self.predicted == k]
            if min(len(here), len(there)) < MIN_IN_CLASS or not w.sum():
                continue
            w = w / w.sum()
            mean = float(w @ there)
            spread = float(w @ (there - mean) ** 2)
            noise = here.var() / len(here) + spread * float((w**2).sum())
            errors.append((here.mean() - mean) / np.sqrt(max(noise, 1e-12)))
        return bool(errors) and _root_mean_square(np.array(errors)) < MAX_CONFIDENCE_ERRORS


def _root_mean_square(x: np.ndarray) -> float:
    return float(np.sqrt((x**2).mean()))
