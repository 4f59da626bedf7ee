"""Test of class means along random projections: whether any class differs between two streams."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.concept import MIN_CLASSES
from keras_shiftguard.detection.two_sample.tail_probabilities import Floats, gamma_sf
from keras_shiftguard.profiles import LabelSummary

# Smallest number of samples of a class in each stream. It is low, since one test combines all
# classes.
MIN_SAMPLES = 8


@dataclass(frozen=True)
class ClassMovement:
    """The difference of the class means between two streams, with its test.

    Args:
        ids: Ids of the `k` classes with at least `MIN_SAMPLES` samples in both streams.
        before: In the reference: mean and variance of each class along each of `d`
            directions, `(k, d)`, and its number of samples, `(k, 1)`.
        after: The same in the current stream.
        error: Squared standard error of the difference of the means, `(k, d)`.
        pooled: Variance within a class, of both streams together, `(k, d)`.
        moved: Mean over classes and directions of the squared difference of the
            means in units of `pooled`, minus what is expected by chance.
        p_value: P-value of "no class moved", multiplied by the number of directions,
            so it may be above 1.
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
    """Compares the class means of two streams.

    Returns None if fewer than `MIN_CLASSES` classes can be compared. The arguments are those of
    `relabelled.find_relabelling`.
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
    error = var_n / n + var_m / m  # squared standard error, (classes, directions)
    delta = after - before
    pooled = (var_n * (n - 1) + var_m * (m - 1)) / (n + m - 2)
    welch_degrees = error**2 / (var_n**2 / n**2 / (n - 1) + var_m**2 / m**2 / (m - 1))
    student_degrees = np.broadcast_to(n + m - 2, delta.shape)
    # The smaller of Welch's and Student's t is used, because for small, skewed classes one of the
    # two finds too many means that rise, and the other too many that fall.
    squares = np.minimum(
        _normal_square(delta**2 / error, welch_degrees),
        _normal_square(delta**2 / (pooled * (1 / n + 1 / m)), student_degrees),
    )
    moved = float(((delta**2 - error) / pooled).mean())
    p = _any_class_moved(squares)
    return ClassMovement(ids, (before, var_n, n), (after, var_m, m), error, pooled, moved, p)


def _normal_square(squared_t: Floats, degrees: Floats) -> Floats:
    """Converts squared t's to squared normal deviates with the same p-value (Wallace 1959)."""
    factor: Floats = ((8 * degrees + 1) / (8 * degrees + 3)) ** 2
    return factor * degrees * np.log1p(squared_t / degrees)


def _any_class_moved(squares: Floats) -> float:
    """Returns the p-value of "no class moved"; it may be above 1.

    The classes are independent, so along one direction their squares add up to a chi2.
    The dependence between directions is not known, so they are combined by Bonferroni.

    Args:
        squares: Squared normal deviates, `(classes, directions)`.
    """
    largest_sum = float(squares.sum(axis=0).max())
    return float(gamma_sf(largest_sum / 2, len(squares) / 2)) * squares.shape[1]
