"""What can be seen of an adaptation without a single label of the target.

NumPy only; features and outputs come from the model in inference mode, all
with the same weights.
"""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.adaptation.domains.target_classes import TargetClasses, find_classes

RIDGE = 1e-2  # of the mean variance
LEAST_DROP = 0.02  # of source accuracy that is more than nothing


@dataclass(frozen=True)
class Evidence:
    """One look at a model that is being adapted.

    Args:
        epoch: 1 after the first epoch; 0 before any.
        distance: Proxy A-distance of the features, 0 (the domains cannot be
            told apart by a linear rule) to 2 (always).
        source_accuracy: On labelled samples of the source; NaN for regression.
        confidence: Mean of the largest class probability in the target.
        agreement: Share of the target that the head puts in the class in whose
            cloud it lies.
        classes: Where the classes lie in the target, and how frequent they
            are; None for regression.
        answers: Class ids that the head gives to the target's samples.
        num_labelled: Samples of the source that `source_accuracy` is of.
    """

    epoch: int
    distance: float
    source_accuracy: float = float("nan")
    confidence: float = float("nan")
    agreement: float = float("nan")
    classes: TargetClasses | None = None
    answers: np.ndarray = field(default_factory=lambda: np.zeros(0, "int64"))
    num_labelled: int = 0

    @property
    def domain_accuracy(self) -> float:
        """Of the linear rule; 0.5 is chance."""
        return 0.5 + self.distance / 4

    def source_fell(self, best: float) -> bool:
        """Whether the source is classified worse than it was at best, by more than chance."""
        error = np.sqrt(max(best * (1 - best), 1e-4) / max(self.num_labelled, 1))
        return bool(self.source_accuracy < best - max(LEAST_DROP, 2 * error))


def proxy_a_distance(source: np.ndarray, target: np.ndarray) -> float:
    """How well a linear rule tells two samples of features apart.

    `2 (1 - 2 error)`, with the error of ridge regression on the domain, two
    folds, each judged by the rule of the other.

    Args:
        source: `(samples, features)`.
        target: `(other samples, features)`.

    Returns:
        Between 0 and 2.

    Reference: Ben-David et al., "A theory of learning from different domains",
    Machine Learning 79 (2010), section 4; Ganin et al. (2016), section 5.1.4.

    Example:

    >>> proxy_a_distance(np.zeros((20, 2)), np.ones((20, 2)))
    2.0
    """
    wrong = []
    for fold in (0, 1):
        fit = [source[fold::2], target[fold::2]]
        judged = [source[1 - fold :: 2], target[1 - fold :: 2]]
        weights, offset = _linear_rule(*fit)
        answers = [part @ weights + offset > 0 for part in judged]
        wrong.append(0.5 * (answers[0].mean() + (~answers[1]).mean()))
    return float(np.clip(2 * (1 - 2 * np.mean(wrong)), 0.0, 2.0))


def _linear_rule(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Fisher's discriminant with a ridge; positive for `b`."""
    a, b = a.astype("float64"), b.astype("float64")
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    centred = np.concatenate([a - mean_a, b - mean_b])
    cov = centred.T @ centred / len(centred)
    ridge = RIDGE * max(np.trace(cov) / len(cov), 1e-12)
    weights = np.linalg.solve(cov + ridge * np.eye(len(cov)), mean_b - mean_a)
    return weights, float(-weights @ (mean_a + mean_b) / 2)


def look(
    epoch: int,
    source: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray | None,
    target: tuple[np.ndarray, np.ndarray],
    groups: np.ndarray | None = None,
) -> Evidence:
    """Judges features and class probabilities of both domains.

    Args:
        epoch: Number of the epoch, from 1.
        source: Features `(samples, features)` and probabilities `(samples,
            classes)`.
        labels: Class ids of the source, `(samples,)`; None for regression.
        target: The same two for the target.
        groups: Class ids of its samples, where they were found to lie in
            separate groups before alignment.
    """
    features, p = source
    target_features, target_p = target
    distance = proxy_a_distance(features, target_features)
    if labels is None:
        return Evidence(epoch, distance)
    answers, target_answers = p.argmax(axis=1), target_p.argmax(axis=1)
    classes = find_classes(features, labels, target_features, target_p, groups)
    return Evidence(
        epoch,
        distance,
        source_accuracy=float((answers == labels).mean()),
        confidence=float(target_p.max(axis=1).mean()),
        agreement=float((classes.probabilities.argmax(axis=1) == target_answers).mean()),
        classes=classes,
        answers=target_answers,
        num_labelled=len(labels),
    )
