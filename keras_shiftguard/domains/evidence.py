"""`Evidence`: measurements of an adaptation that need no labels of the target. NumPy only.

The features and predictions come from the model in inference mode, all with the
same weights.
"""

from dataclasses import dataclass, field

import numpy as np

# A model knows its task if its accuracy on the source is at least this far above guessing, as a
# share of the way from guessing to 100 %. Compared with 80 % in
# `examples/benchmarks/adaptation_choices.py`.
KNOWS_TASK = 0.5
# Added to the variance of each feature, in units of the mean of these variances. A convention.
RIDGE = 1e-2


@dataclass(frozen=True)
class Evidence:
    """One measurement of a model that is being adapted.

    Args:
        epoch: Number of finished epochs; 0 before training.
        distance: Proxy A-distance of the features, from 0 (a linear rule cannot
            tell the domains apart) to 2 (it always can); NaN if a feature is not finite.
        source_accuracy: Accuracy on labelled source samples; NaN for regression.
        source_confidence: Largest class probability of a source sample, averaged over the
            samples; NaN for regression.
        confidence: Largest class probability of a target sample, averaged over the
            samples; NaN for regression.
        shares: Mean class probabilities of the target samples, `(classes,)`; empty for
            regression.
    """

    epoch: int
    distance: float
    source_accuracy: float = float("nan")
    source_confidence: float = float("nan")
    confidence: float = float("nan")
    shares: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def domain_accuracy(self) -> float:
        """Accuracy of a linear rule that tells the domains apart; guessing gives 0.5."""
        return 0.5 + self.distance / 4

    def knows_task(self, num_classes: int) -> bool:
        """Whether the accuracy on the source is far above guessing; False for regression."""
        chance = 1 / max(num_classes, 1)
        return bool(self.source_accuracy >= chance + KNOWS_TASK * (1 - chance))


def proxy_a_distance(source: np.ndarray, target: np.ndarray) -> float:
    """Returns the proxy A-distance: how well a linear rule tells two domains apart.

    It is `2 (1 - 2 error)`. The error is that of a linear discriminant, measured by
    two-fold cross-validation.

    Args:
        source: Features, `(samples, features)`.
        target: Features, `(other samples, features)`.

    Returns:
        A number between 0 and 2; NaN if a feature is not finite.

    Reference: Ben-David et al., "A theory of learning from different domains",
    Machine Learning 79 (2010), section 4; Ganin et al. (2016), section 5.1.4.

    Example:

    >>> proxy_a_distance(np.zeros((20, 2)), np.ones((20, 2)))
    2.0
    """
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        return float("nan")
    wrong = []
    for fold in (0, 1):
        weights, offset = _linear_rule(source[fold::2], target[fold::2])
        held_out = source[1 - fold :: 2], target[1 - fold :: 2]
        is_target = [part @ weights + offset > 0 for part in held_out]
        wrong.append(0.5 * (is_target[0].mean() + (~is_target[1]).mean()))
    return float(np.clip(2 * (1 - 2 * np.mean(wrong)), 0.0, 2.0))


def _linear_rule(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns weights and offset of Fisher's discriminant with a ridge.

    `x @ weights + offset` is positive for samples like `b`, negative for those like `a`.
    """
    a, b = a.astype("float64"), b.astype("float64")
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    centred = np.concatenate([a - mean_a, b - mean_b])
    samples, difference = len(centred), mean_b - mean_a
    ridge = RIDGE * max((centred**2).mean(), 1e-12)
    # Woodbury's identity takes a matrix of samples, since a covariance of many features may not fit
    # into memory.
    gram = centred @ centred.T + samples * ridge * np.eye(samples)
    weights = (difference - centred.T @ np.linalg.solve(gram, centred @ difference)) / ridge
    return weights, float(-weights @ (mean_a + mean_b) / 2)


def measure_evidence(
    epoch: int,
    source: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray | None,
    target: tuple[np.ndarray, np.ndarray],
) -> Evidence:
    """Computes the evidence after an epoch, from features and class probabilities in both domains.

    `labels` are class ids of the source, `(samples,)`; None for regression.
    """
    features, p = source
    target_features, target_p = target
    distance = proxy_a_distance(features, target_features)
    if labels is None:
        return Evidence(epoch, distance)
    return Evidence(
        epoch,
        distance,
        source_accuracy=float((p.argmax(axis=1) == labels).mean()),
        source_confidence=float(p.max(axis=1).mean()),
        confidence=float(target_p.max(axis=1).mean()),
        shares=target_p.mean(axis=0),
    )
