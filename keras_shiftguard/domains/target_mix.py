"""The class mix (share of each class) of the target, estimated from predictions. NumPy only.

A wrong mix does more harm than the mix of the source, so the mix of the source is kept unless the
predictions contradict it. If a share `e` of the predictions is wrong, the true shares of the
classes differ from the predicted shares by at most `e` (total variation distance), whatever has
changed between the domains. `e` is not known: it is estimated from the confidence of the
predictions, plus the sampling error of the predicted shares. If a network is too confident, this
estimate is too small. So `AutoGuard` estimates the mix only if the confidence on the target is
about that on the source.
"""

import numpy as np

EM_ROUNDS = 30  # rounds of expectation-maximization. A convention.


def class_shares(
    labels: np.ndarray, num_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the share of each class, `(classes,)`; samples count with their weights, if given."""
    counts = np.bincount(labels, weights, minlength=num_classes)
    return np.asarray(counts / max(counts.sum(), 1e-12))


def target_mix(probabilities: np.ndarray, prior: np.ndarray, source_mix: np.ndarray) -> np.ndarray:
    """Returns the estimated class shares of the target, `(classes,)`.

    The result is `source_mix` itself if the expected mistakes explain why the predicted shares
    differ from those of the source, and else the result of `em_mix`.

    Args:
        probabilities: Class probabilities of target samples, `(samples, classes)`.
        prior: Class shares that the model has learned, `(classes,)`. Each sample of the source
            counts with its weight in the loss.
        source_mix: Class shares of the source, `(classes,)`.
    """
    samples, classes = probabilities.shape
    predicted = class_shares(probabilities.argmax(axis=1), classes)
    expected_mistakes = 1 - probabilities.max(axis=1).mean()
    # The mean absolute error of a share is `sqrt(2 / pi)` standard errors. Half of the sum of these
    # errors is the mean total variation distance.
    sampling = np.sqrt(2 / np.pi * predicted * (1 - predicted) / samples).sum() / 2
    if distance(source_mix, predicted) <= expected_mistakes + sampling:
        return source_mix
    return em_mix(probabilities, prior)


def distance(mix: np.ndarray, other: np.ndarray) -> float:
    """Returns the total variation distance of two class mixes, between 0 and 1."""
    return float(np.abs(mix - other).sum() / 2)


def em_mix(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Returns the class shares of the target by expectation-maximization, `(classes,)`.

    The estimate is right only if the class probabilities, rescaled to the mix of the target, are
    right on the target. If the inputs have changed as well, the estimate may be far off: on digits
    with less contrast, of which 90 % are predicted right, one class got an estimated share of 56 %
    instead of 10 %.

    Args:
        probabilities: Class probabilities of target samples, `(samples, classes)`.
        prior: Class shares that the model has learned, `(classes,)`.

    Reference: Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a Classifier to New
    a Priori Probabilities", Neural Computation 14 (2002).
    """
    mix = prior
    for _ in range(EM_ROUNDS):
        p = probabilities * mix / np.maximum(prior, 1e-6)
        mix = (p / np.maximum(p.sum(axis=1, keepdims=True), 1e-12)).mean(axis=0)
    return mix
