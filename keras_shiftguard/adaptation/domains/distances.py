"""Distances between two batches of features, used as losses: MMD and CORAL.

They need float32, because squared distances and covariances overflow or lose all
digits in half precision. Source samples may have weights, which correct for a class
mix that differs from the target's.
"""

from typing import Any

from keras import ops

BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)  # in units of the median squared distance
MEDIAN_ROWS = 48  # samples of each batch for the median: sorting all pairs would be too slow
EPSILON = 1e-6  # avoids a division by zero


def squared_distances(a: Any, b: Any) -> Any:
    """Returns the squared Euclidean distances, `(rows of a, rows of b)`, never negative."""
    a_norm = ops.sum(ops.square(a), axis=1)[:, None]
    b_norm = ops.sum(ops.square(b), axis=1)[None, :]
    return ops.maximum(a_norm + b_norm - 2.0 * ops.matmul(a, ops.transpose(b)), 0.0)


def kernel_matrices(source: Any, target: Any) -> tuple[Any, Any, Any]:
    """Returns kernel matrices within the source, within the target, and between both.

    The kernel is a mean of Gaussians. Their bandwidths are multiples of the median
    squared distance between the samples of both batches. No gradient flows through
    the median; otherwise the features could reduce the loss by spreading out.

    Args:
        source: Features, `(samples, features)`, float32.
        target: Features, `(other samples, features)`, float32.
    """
    rows = ops.stop_gradient(ops.concatenate([source[:MEDIAN_ROWS], target[:MEDIAN_ROWS]], axis=0))
    flat = ops.sort(ops.reshape(squared_distances(rows, rows), (-1,)))
    median = ops.maximum(flat[ops.shape(flat)[0] // 2], EPSILON)

    def gram(a: Any, b: Any) -> Any:
        scaled = squared_distances(a, b) / median
        return sum(ops.exp(-scaled / (2.0 * width)) for width in BANDWIDTHS) / len(BANDWIDTHS)

    return gram(source, source), gram(target, target), gram(source, target)


def mmd(source: Any, target: Any, weights: Any = None) -> Any:
    """Returns an unbiased estimate of the squared maximum mean discrepancy of two batches.

    Args:
        source: Features, `(samples, features)`, float32.
        target: Features, `(other samples, features)`, float32.
        weights: Weights of the source samples, `(samples,)`; None for equal ones.

    Returns:
        A scalar. It is near 0, and may be negative, for batches of one distribution.

    Reference: Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012), eq.
    3; Long et al., "Learning Transferable Features with Deep Adaptation
    Networks", ICML 2015.
    """
    within_source, within_target, across = kernel_matrices(source, target)
    w = ops.ones_like(source[:, 0]) if weights is None else weights
    v = ops.ones_like(target[:, 0])
    return (
        _mean_off_diagonal(within_source, w)
        + _mean_off_diagonal(within_target, v)
        - 2.0 * ops.sum(w[:, None] * across) / (ops.sum(w) * ops.sum(v) + EPSILON)
    )


def conditional_mmd(source: Any, target: Any, classes: Any, target_classes: Any) -> Any:
    """Returns the mean over classes of the squared maximum mean discrepancy of each class.

    Each class of the source is compared with the same class of the target, so a
    different class mix does not add to the distance. Unlike `mmd`, the estimate
    counts the pairs of a sample with itself: it is biased, and never negative.

    Args:
        source: Features, `(samples, features)`, float32.
        target: Features, `(other samples, features)`, float32.
        classes: One-hot classes of the source samples, `(samples, classes)`.
        target_classes: Class probabilities of the target samples, `(other samples,
            classes)`. The caller stops their gradient.

    Returns:
        A scalar. Classes with at most half a sample in one of the batches do not count.

    Reference: Zhu et al., "Deep Subdomain Adaptation Network for Image
    Classification", IEEE TNNLS 2021, eq. 8.
    """
    within_source, within_target, across = kernel_matrices(source, target)
    count, target_count = ops.sum(classes, axis=0), ops.sum(target_classes, axis=0)
    occurs = ops.cast(ops.logical_and(count > 0.5, target_count > 0.5), "float32")
    w = classes / (count + EPSILON) * occurs
    v = target_classes / (target_count + EPSILON) * occurs

    def by_class(gram: Any, a: Any, b: Any) -> Any:
        """Returns the sum over classes of the mean kernel value of each class."""
        return ops.sum(gram * ops.matmul(a, ops.transpose(b)))

    within = by_class(within_source, w, w) + by_class(within_target, v, v)
    total = within - 2.0 * by_class(across, w, v)
    return total / ops.maximum(ops.sum(occurs), 1.0)


def coral(source: Any, target: Any, weights: Any = None) -> Any:
    """Returns the squared distance of the means plus that of the covariances.

    Deep CORAL's loss, `|Cs - Ct|^2 / (4 d^2)`, depends on the scale of the features
    and on their number `d`. Here each distance is divided by the mean size of the
    covariances in both batches, so that one strength fits every network. Deep CORAL
    does not contain the distance of the means.

    Args:
        source: Features, `(samples, features)`, float32.
        target: Features, `(other samples, features)`, float32.
        weights: Weights of the source samples, `(samples,)`; None for equal ones.

    Returns:
        A scalar, 0 for equal means and covariances.

    Reference: Sun and Saenko, "Deep CORAL: Correlation Alignment for Deep
    Domain Adaptation", ECCV workshops 2016.
    """
    w = ops.ones_like(source[:, 0]) if weights is None else weights
    mean_s, cov_s = _moments(source, w)
    mean_t, cov_t = _moments(target, ops.ones_like(target[:, 0]))
    # Gradients flow through the divisors as well. Otherwise the features could reduce
    # the loss by shrinking to nothing.
    variance = 0.5 * (ops.trace(cov_s) + ops.trace(cov_t)) + EPSILON
    mean_term = ops.sum(ops.square(mean_s - mean_t)) / variance
    squares = 0.5 * (ops.sum(ops.square(cov_s)) + ops.sum(ops.square(cov_t))) + EPSILON**2
    covariance_term = ops.sum(ops.square(cov_s - cov_t)) / squares
    return mean_term + covariance_term


def _moments(x: Any, weights: Any) -> tuple[Any, Any]:
    """Returns the weighted mean, `(1, features)`, and covariance, `(features, features)`."""
    share = (weights / (ops.sum(weights) + EPSILON))[:, None]
    mean = ops.sum(x * share, axis=0, keepdims=True)
    centred = x - mean
    return mean, ops.matmul(ops.transpose(centred * share), centred)


def _mean_off_diagonal(gram: Any, weights: Any) -> Any:
    """Returns the weighted mean of a square kernel matrix without its diagonal."""
    pairs = weights[:, None] * weights[None, :]
    own = ops.sum(ops.square(weights))  # the weights of the pairs on the diagonal
    diagonal = own * gram[0, 0]  # the same for all samples: the kernel at distance 0
    return (ops.sum(gram * pairs) - diagonal) / (ops.sum(pairs) - own + EPSILON)
