"""Label-free scores of a classifier's probabilities, which rise or fall with its accuracy.

References:
    Garg et al., "Leveraging unlabeled data to predict out-of-distribution performance", ICLR 2022
    (ATC); Guillory et al., "Predicting with confidence on unseen distributions", ICCV 2021 (DoC);
    Lu et al., "Characterizing out-of-distribution error via optimal transport", NeurIPS 2023
    (COT).
"""

from dataclasses import dataclass

import numpy as np

# Entropic regularization of the optimal transport, in units of probability. A convention, checked
# in `examples/benchmarks/accuracy_estimate.py`.
SMOOTHING = 0.02
ROUNDS = 200  # number of Sinkhorn iterations of the optimal transport. A convention.


@dataclass(frozen=True)
class ReferenceScores:
    """Scores of the labelled reference, from which the scores of other samples are computed."""

    accuracy: float  # accuracy on the reference
    confidence: float  # mean confidence on the reference
    # Threshold of ATC: the share of the reference with a higher confidence equals the accuracy.
    threshold: float
    shares: np.ndarray  # class frequencies of the labels, `(classes,)`
    transport: float  # result of `transported` on the reference

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> "ReferenceScores":
        """Returns the scores of a labelled reference."""
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == labels
        threshold = confidence_threshold(confidence, float(right.mean()))
        shares = np.bincount(labels, minlength=probabilities.shape[1]) / len(labels)
        means = float(right.mean()), float(confidence.mean())
        return cls(*means, threshold, shares, transported(probabilities, shares))


def confidence_threshold(confidence: np.ndarray, accuracy: float) -> float:
    """Returns the threshold of ATC: the share of samples with a higher confidence is `accuracy`.

    The threshold is -1, below any confidence, if no prediction is wrong.
    """
    return float(np.quantile(confidence, 1 - accuracy)) if accuracy < 1 else -1.0


def scores(probabilities: np.ndarray, reference: ReferenceScores) -> dict[str, float]:
    """Returns the scores of some samples, by the name of the method."""
    confidence = probabilities.max(axis=1)
    predicted = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return {
        "ATC": float((confidence > reference.threshold).mean()),
        "DoC": reference.accuracy + float(confidence.mean()) - reference.confidence,
        "COT": reference.accuracy
        + transported(probabilities, reference.shares)
        - reference.transport,
        "shares": float(np.abs(predicted / len(probabilities) - reference.shares).sum() / 2),
    }


def transported(probabilities: np.ndarray, shares: np.ndarray) -> float:
    """Returns the mean probability of the classes that optimal transport assigns to the samples.

    Each sample is assigned a class such that the classes have the frequencies `shares`, and the
    mean probability of the assigned classes is largest. Sinkhorn's iterations find this assignment
    approximately.
    """
    kept = shares > 0
    p, wanted = probabilities[:, kept], shares[kept]
    scaled = p / SMOOTHING
    column = np.zeros(len(wanted))
    for _ in range(ROUNDS):
        row = -_log_sum(scaled + column, 1)
        column = np.log(wanted) - _log_sum(scaled + row[:, None], 0) + np.log(len(p))
    plan = np.exp(scaled + row[:, None] + column)
    return float((plan * p).sum() / plan.sum())


def _log_sum(x: np.ndarray, axis: int) -> np.ndarray:
    top = x.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(x - top).sum(axis=axis)) + np.squeeze(top, axis))
