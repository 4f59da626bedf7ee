"""Distances between two batches of features, as losses: MMD and CORAL.

All in float32: squared distances and covariances overflow or cancel in half
precision. A sample may carry a weight, so that a source whose classes are
mixed otherwise than the target's is compared as if they were mixed alike.
"""

from typing import Any

from keras import ops

BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)  # of the median squared distance
MEDIAN_ROWS = 48  # of each batch: sorting all pairs would cost more than the kernel
EPSILON = 1e-6


def squared_distances(a: Any, b: Any) -> Any:
    """Squared Euclidean distances, `(rows of a, rows of b)`, not negative."""
    a_norm = ops.sum(ops.square(a), axis=1)[:, None]
    b_norm = ops.sum(ops.square(b), axis=1)[None, :]
    return ops.maximum(a_norm + b_norm - 2.0 * ops.matmul(a, ops.transpose(b)), 0.0)


def kernel(source: Any, target: Any) -> tuple[Any, Any, Any]:
    """Sums of Gaussian kernels within the source, within the target, and across.

    The bandwidths are multiples of the median squared distance of the pooled
    batch, through which no gradient flows: otherwise the features could shrink
    the loss by spreading out.
    """
    rows = ops.stop_gradient(ops.concatenate([source[:MEDIAN_ROWS], target[:MEDIAN_ROWS]], axis=0))
    flat = ops.sort(ops.reshape(squared_distances(rows, rows), (-1,)))
    median = ops.maximum(flat[ops.shape(flat)[0] // 2], EPSILON)

    def of(a: Any, b: Any) -> Any:
        scaled = squared_distances(a, b) / median
        return sum(ops.exp(-scaled / (2.0 * width)) for width in BANDWIDTHS) / len(BANDWIDTHS)

    return of(source, source), of(target, target), of(source, target)


def mmd(source: Any, target: Any, weights: Any = None) -> Any:
    """Squared maximum mean discrepancy, unbiased, of two batches of features.

    Args:
        source: `(samples, features)`, float32.
        target: `(other samples, features)`, float32.
        weights: Of the source's samples, `(samples,)`; None for equal ones.

    Returns:
        A scalar; near 0, and of either sign, where the two are alike.

    Reference: Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012), eq.
    3; Long et al., "Learning Transferable Features with Deep Adaptation
    Networks", ICML 2015.
    """
    within_source, within_target, across = kernel(source, target)
    w = ops.ones_like(source[:, 0]) if weights is None else weights
    v = ops.ones_like(target[:, 0])
    return (
        _mean_off_diagonal(within_source, w)
        + _mean_off_diagonal(within_target, v)
        - 2.0 * ops.sum(w[:, None] * across) / (ops.sum(w) * ops.sum(v) + EPSILON)
    )


def conditional_mmd(source: Any, target: Any, classes: Any, target_classes: Any) -> Any:
    """The maximum mean discrepancy of each class, averaged over classes.

    Each class is compared with itself, whatever its share, so a different mix
    of classes is no distance.

    Args:
        source: `(samples, features)`, float32.
        target: `(other samples, features)`, float32.
        classes: Class of each source sample, one-hot, `(samples, classes)`.
        target_classes: Probabilities of the target's, `(other samples,
            classes)`; no gradient should flow through them.

    Returns:
        A scalar. Classes that the batch does not hold do not count.

    Reference: Zhu et al., "Deep Subdomain Adaptation Network for Image
    Classification", IEEE TNNLS 2021, eq. 8.
    """
    within_source, within_target, across = kernel(source, target)
    mass, target_mass = ops.sum(classes, axis=0), ops.sum(target_classes, axis=0)
    there = ops.cast(ops.logical_and(mass > 0.5, target_mass > 0.5), "float32")
    w = classes / (mass + EPSILON) * there
    v = target_classes / (target_mass + EPSILON) * there

    def mean(gram: Any, a: Any, b: Any) -> Any:
        return ops.sum(gram * ops.matmul(a, ops.transpose(b)))

    total = mean(within_source, w, w) + mean(within_target, v, v) - 2.0 * mean(across, w, v)
    return total / ops.maximum(ops.sum(there), 1.0)


def coral(source: Any, target: Any, weights: Any = None) -> Any:
    """Distance of means and covariances, in units of the pooled spread.

    Deep CORAL's `|Cs - Ct|^2 / (4 d^2)` vanishes with the size of the features
    and their number; here both are divided by what the batch itself has, so
    one strength fits every network. The difference of the means, which it
    leaves out, is added.

    Args:
        source: `(samples, features)`, float32.
        target: `(other samples, features)`, float32.
        weights: Of the source's samples, `(samples,)`; None for equal ones.

    Reference: Sun and Saenko, "Deep CORAL: Correlation Alignment for Deep
    Domain Adaptation", ECCV workshops 2016.
    """
    w = ops.ones_like(source[:, 0]) if weights is None else weights
    mean_s, cov_s = _moments(source, w)
    mean_t, cov_t = _moments(target, ops.ones_like(target[:, 0]))
    # Gradients flow through the spread as well: otherwise the loss would fall
    # by shrinking the features, until nothing is left of them.
    scale = 0.5 * (ops.trace(cov_s) + ops.trace(cov_t)) + EPSILON
    spread = 0.5 * (ops.sum(ops.square(cov_s)) + ops.sum(ops.square(cov_t)))
    between = ops.sum(ops.square(cov_s - cov_t)) / (spread + EPSILON**2)
    return ops.sum(ops.square(mean_s - mean_t)) / scale + between


def _moments(x: Any, weights: Any) -> tuple[Any, Any]:
    share = (weights / (ops.sum(weights) + EPSILON))[:, None]
    mean = ops.sum(x * share, axis=0, keepdims=True)
    centred = x - mean
    return mean, ops.matmul(ops.transpose(centred * share), centred)


def _mean_off_diagonal(gram: Any, weights: Any) -> Any:
    pairs = weights[:, None] * weights[None, :]
    own = ops.square(weights)
    diagonal = ops.sum(own) * gram[0, 0]  # a Gaussian kernel of a sample with itself is 1
    return (ops.sum(gram * pairs) - diagonal) / (ops.sum(pairs) - ops.sum(own) + EPSILON)
