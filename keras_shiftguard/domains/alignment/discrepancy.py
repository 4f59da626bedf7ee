"""Distances between the features of two domains, used as losses: DAN's MMD and Deep CORAL.

The distances are computed in float32, because squared distances and covariances overflow or lose
all digits in half precision.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_shiftguard.domains.pair import EPSILON, Pair

# Widths of the kernels, in units of the mean squared distance. A convention, checked in
# docs/benchmarks/adaptation.md.
BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)
# Sun and Saenko choose the weight so that task and CORAL loss are about equal in the end. The CORAL
# loss is divided by `4 d^2`, so the weight must be far above 1. A convention, checked in
# docs/benchmarks/adaptation.md.
CORAL_WEIGHT = 100.0


class Discrepancy(keras.layers.Layer):
    """Loss that is `strength * weight` times a distance between the features of two domains."""

    def __init__(self, distance: Callable[[Any, Any], Any], weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.distance, self.weight = distance, weight

    def loss(self, pair: Pair, progress: Any, strength: Any) -> Any:
        """Returns the loss; that of `mmd` may be negative."""
        return strength * self.weight * self.distance(pair.features, pair.target_features)


def mmd(source: Any, target: Any) -> Any:
    """Returns an unbiased estimate of the squared maximum mean discrepancy of two batches.

    The kernel is a mean of Gaussians. Their bandwidths are multiples of the mean squared
    distance between the samples of both batches. No gradient flows through that mean;
    otherwise the features could reduce the loss by spreading out.

    As a loss, it differs from DAN's in these points. All kernels have the same weight, and the
    weights sum to 1; the paper learns the weights. The kernels are the five of the authors' code,
    around the mean squared distance of the batch; the paper has 33, around the median of the
    training data. The authors' code adds the kernels, so its loss is that of `strength=5` here. The
    estimate uses all pairs of samples in a batch: it has less noise than that of the paper, which
    uses each sample once to be faster on large batches. One layer is aligned, not the last three.

    Args:
        source: Features, `(samples, features)`, float32.
        target: Features, `(other samples, features)`, float32.

    Returns:
        A scalar. It is near 0, and may be negative, for batches of one distribution. It is 0 if
        a batch has a single sample, such as the last batch of an epoch: nothing is known then
        about the distances within its domain.

    Reference: Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012), eq. 3; Long et al.,
    "Learning Transferable Features with Deep Adaptation Networks", ICML 2015.
    """
    n, m = (ops.cast(ops.shape(x)[0], "float32") for x in (source, target))
    both = ops.concatenate([source, target], axis=0)
    # Subtracting the mean changes no distance, but rounding errors are smaller near 0.
    both = both - ops.stop_gradient(ops.mean(both, axis=0, keepdims=True))
    norms = ops.sum(ops.square(both), axis=1)
    products = ops.matmul(both, ops.transpose(both))
    distances = ops.maximum(norms[:, None] + norms[None, :] - 2.0 * products, 0.0)
    scale = ops.stop_gradient(ops.sum(distances) / ((n + m) * (n + m - 1.0))) + EPSILON
    kernel = sum(ops.exp(-distances / (2.0 * width * scale)) for width in BANDWIDTHS)
    kernel = kernel / len(BANDWIDTHS)
    size = ops.shape(source)[0]

    def within(part: Any, samples: Any) -> Any:
        # The pairs of a sample with itself are left out.
        others = ops.sum(part) - ops.sum(ops.diagonal(part))
        return others / ops.maximum(samples * (samples - 1.0), 1.0)

    distance = (
        within(kernel[:size, :size], n)
        + within(kernel[size:, size:], m)
        - 2.0 * ops.mean(kernel[:size, size:])
    )
    return distance * _has_pairs(n, m)


def coral(source: Any, target: Any) -> Any:
    """Returns the distance of Deep CORAL between the covariances of two batches.

    The distance is `|Cs - Ct|^2 / (4 d^2)`, where `Cs` and `Ct` are the covariance matrices of the
    `d` features. It is 0 if a batch has a single sample, which has no covariance. The arguments
    are those of `mmd`.

    The paper aligns the outputs of the last layer, and chooses the weight for each task so that
    the loss of the task and this loss are about equal in the end. Here the features before the last
    layer are aligned, as by the other methods, and the weight is `CORAL_WEIGHT`.

    Reference: Sun and Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation",
    ECCV workshops 2016.
    """
    n, m = (ops.cast(ops.shape(x)[0], "float32") for x in (source, target))
    difference = _covariance(source) - _covariance(target)
    return _has_pairs(n, m) * ops.sum(ops.square(difference)) / (4.0 * source.shape[1] ** 2)


def _has_pairs(n: Any, m: Any) -> Any:
    """Returns 1.0 if batches of `n` and of `m` samples have two samples or more, else 0.0."""
    return ops.cast(ops.minimum(n, m) > 1.5, "float32")


def _covariance(x: Any) -> Any:
    """Returns the unbiased covariance matrix of features, `(features, features)`."""
    centred = x - ops.mean(x, axis=0, keepdims=True)
    samples = ops.cast(ops.shape(x)[0], "float32")
    return ops.matmul(ops.transpose(centred), centred) / ops.maximum(samples - 1.0, 1.0)
