"""The adversarial losses: what the domain head is trained on."""

from typing import Any

from keras import ops


def domain_loss(source: Any, target: Any, weights: Any, target_weights: Any = None) -> Any:
    """Cross-entropy of a head that says whether a sample is from the target.

    Each domain counts as much as the other, whatever the sizes. Symmetric:
    swapped domains and negated logits give the same loss.

    Args:
        source: Logits of the source's samples, `(samples, 1)`, float32.
        target: Those of the target's, `(other samples, 1)`.
        weights: Of the source's samples, `(samples,)`.
        target_weights: Of the target's, or None.
    """
    source, target = source[:, 0], target[:, 0]
    v = ops.ones_like(target) if target_weights is None else target_weights
    return 0.5 * (
        ops.sum(weights * ops.softplus(source)) / (ops.sum(weights) + 1e-6)
        + ops.sum(v * ops.softplus(-target)) / (ops.sum(v) + 1e-6)
    )


def domain_accuracy(source: Any, target: Any) -> Any:
    """Share of right answers of the head, both domains counting alike."""
    right = ops.mean(ops.cast(source < 0, "float32")) + ops.mean(ops.cast(target > 0, "float32"))
    return 0.5 * right


def certainty(probabilities: Any) -> Any:
    """`1 + exp(-entropy)`: samples whose class is clear count more (CDAN+E)."""
    p = ops.stop_gradient(probabilities)
    return 1.0 + ops.exp(ops.sum(p * ops.log(p + 1e-6), axis=-1))


def mean_entropy(probabilities: Any) -> Any:
    """Mean entropy of class probabilities, in nats.

    Reference: Shu et al., "A DIRT-T Approach to Unsupervised Domain
    Adaptation", ICLR 2018, eq. 4.
    """
    p = probabilities
    return -ops.mean(ops.sum(p * ops.log(p + 1e-6), axis=-1))
