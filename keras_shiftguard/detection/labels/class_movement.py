"""Test of class means: whether any class moved between two streams, along random projections."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.concept import MIN_CLASSES
from keras_shiftguard.detection.two_sample.tail_probabilities import Floats, gamma_sf
from keras_shiftguard.profiles import LabelSummary

MIN_SAMPLES = 8  # of a class in each stream; so few are enough, as all classes are combined


@dataclass(frozen=True)
class ClassMovement:
    """The difference of the class means between two streams, with its test.

    Args:
        ids: Ids of the `k` classes with `MIN_SAMPLES` samples in both streams.
        before: In the reference: mean and variance of each class along each of `d`
            directions, `(k, d)`, and its number of samples, `(k, 1)`.
        after: The same in the current stream.
        error: Squared standard error of the difference of the means, `(k, d)`.
        pooled: Variance within a class, `(k, d)`.
        moved: Mean square of the differences in units of `pooled`, minus its
            expectation by chance.
        p_value: P-value of "no class moved", corrected for the number of directions.
    """

    ids: np.ndarray
    before: tuple[Floats, Floats, Floats]
    after: tuple[Floats, Floats, Floats]
    error: Floats
    pooled: Floats
    moved: float
    p_value: float


def compare_classes(
    reference: LabelSummary, current: LabelSummary, shares: tuple[float, float] = (1.0, 1.0)
) -> ClassMovement | None:
    """Compares the class means of two streams; None if fewer than `MIN_CLASSES` can be.

    The arguments are those of `relabelled.find_relabelling`.
    """
    if not (reference.are_classes and current.are_classes):
        return None
    n = reference.by_class.count[:, :1] * shares[0]
    m = current.by_class.count[:, :1] * shares[1]
    ids = np.flatnonzero(np.minimum(n, m)[:, 0] >= MIN_SAMPLES)
    if len(ids) < MIN_CLASSES:
        return None
    n, m = n[ids], m[ids]
    before, after = reference.by_class.mean[ids], current.by_class.mean[ids]
    var_n, var_m = (
        np.maximum(s.by_class.std[ids] ** 2 * k / (k - 1), 1e-30)
        for s, k in ((reference, n), (current, m))
    )
    error = var_n / n + var_m / m  # squared, (classes, directions)
    delta = after - before
    pooled = (var_n * (n - 1) + var_m * (m - 1)) / (n + m - 2)
    degrees = error**2 / (var_n**2 / n**2 / (n - 1) + var_m**2 / m**2 / (m - 1))
    even = np.broadcast_to(n + m - 2, delta.shape)
    squares = np.minimum(
        _normal_square(delta**2 / error, degrees),
        _normal_square(delta**2 / (pooled * (1 / n + 1 / m)), even),
    )
    moved = float(((delta**2 - error) / pooled).mean())
    p = _any_class_moved(squares)
    return ClassMovement(ids, (before, var_n, n), (after, var_m, m), error, pooled, moved, p)


def _normal_square(square: Floats, degrees: Floats) -> Floats:
    """Returns the square of the normal deviate with the p-value of a squared t (Wallace 1959)."""
    normal: Floats = ((8 * degrees + 1) / (8 * degrees + 3)) ** 2
    return normal * degrees * np.log1p(square / degrees)


def _any_class_moved(square: Floats) -> float:
    """Returns the p-value of squared deviates, `(classes, directions)`.

    The classes are independent, so along one direction their squares add up to a chi2.
    The dependence between directions is not known, so they are combined by Bonferroni.
    The squares are the smaller of Welch's and Student's t, because for small, skewed
    classes each of the two rejects too often in one direction.
    """
    worst = float(square.sum(axis=0).max())
    return float(gamma_sf(worst / 2, len(square) / 2)) * square.shape[1]
