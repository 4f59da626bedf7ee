"""Losses and metrics of the adversarial methods (DANN and CDAN)."""

from typing import Any

from keras import ops


def domain_loss(source: Any, target: Any, weights: Any, target_weights: Any = None) -> Any:
    """Returns the binary cross-entropy of the domain head, whose class 1 is the target.

    Both domains have the same weight, independent of their numbers of samples.
    The loss is symmetric: with swapped domains and negated logits it is the same.

    Args:
        source: Logits of source samples, `(samples, 1)`, float32.
        target: Logits of target samples, `(other samples, 1)`, float32.
        weights: Weights of the source samples, `(samples,)`.
        target_weights: Weights of the target samples, `(other samples,)`; None for
            equal ones.

    Returns:
        A float32 scalar.
    """
    source, target = source[:, 0], target[:, 0]
    w, v = weights, ops.ones_like(target) if target_weights is None else target_weights
    return 0.5 * (
        ops.sum(w * ops.softplus(source)) / (ops.sum(w) + 1e-6)
        + ops.sum(v * ops.softplus(-target)) / (ops.sum(v) + 1e-6)
    )


def domain_accuracy(source: Any, target: Any) -> Any:
    """Returns the mean of the domain head's accuracies in both domains; guessing gives 0.5.

    Args:
        source: Logits of source samples, of any shape.
        target: Logits of target samples, of any shape.
    """
    source_accuracy = ops.mean(ops.cast(source < 0, "float32"))
    target_accuracy = ops.mean(ops.cast(target > 0, "float32"))
    return 0.5 * (source_accuracy + target_accuracy)


def certainty(probabilities: Any) -> Any:
    """Returns sample weights `1 + exp(-entropy)`, `(samples,)`.

    Samples whose class is clear get more weight. No gradient flows through the weights.

    Args:
        probabilities: Class probabilities, `(samples, classes)`.

    Reference: Long et al., "Conditional Adversarial Domain Adaptation", NeurIPS
    2018 (CDAN+E).
    """
    p = ops.stop_gradient(probabilities)
    return 1.0 + ops.exp(ops.sum(p * ops.log(p + 1e-6), axis=-1))


def mean_entropy(probabilities: Any) -> Any:
    """Returns the mean entropy of class probabilities, `(samples, classes)`, in nats.

    Reference: Shu et al., "A DIRT-T Approach to Unsupervised Domain
    Adaptation", ICLR 2018, eq. 4.
    """
    p = probabilities
    return -ops.mean(ops.sum(p * ops.log(p + 1e-6), axis=-1))
