"""Two means, by their moments: for features whose histogram resolves nothing."""

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import (
    Floats,
    hypergeometric_two_sided,
    student_t_sf,
)
from keras_shiftguard.profiles import Moments


def mean_tests(a: Moments, b: Moments, n: Floats, m: Floats, rows: np.ndarray) -> Floats:
    """The larger of the p-values of Welch's and of Student's t, `(rows,)`.

    With a skewed distribution and unequal sizes the one is too eager on the
    side on which the other is not.
    """
    n, m = n[rows], m[rows]
    va, vb = ((x.m2 / np.maximum(x.count, 1))[rows] for x in (a, b))
    va, vb = va * n / (n - 1), vb * m / (m - 1)
    delta = a.mean[rows] - b.mean[rows]
    pooled = ((n - 1) * va + (m - 1) * vb) / (n + m - 2)
    welch = va / n + vb / m
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = welch**2 / ((va / n) ** 2 / (n - 1) + (vb / m) ** 2 / (m - 1))
        t_welch = np.abs(delta) / np.sqrt(welch)
        t_pooled = np.abs(delta) / np.sqrt(pooled * (1 / n + 1 / m))
    nothing = ~(np.isfinite(t_welch) & np.isfinite(degrees) & np.isfinite(t_pooled))
    # Two different constants: the smallest p that a permutation could reach.
    certain = (delta != 0) & (welch == 0)
    p = np.maximum(
        2 * student_t_sf(np.where(nothing, 0.0, t_welch), np.where(nothing, 1.0, degrees)),
        2 * student_t_sf(np.where(nothing, 0.0, t_pooled), n + m - 2),
    )
    p = np.where(nothing, 1.0, p)
    if certain.any():
        exact = hypergeometric_two_sided(n, n, n, n + m)
        p = np.where(certain, exact, p)
    return p


def cohens_d(a: Moments, b: Moments, n: Floats, m: Floats) -> Floats:
    """Difference of the means in pooled standard deviations within groups."""
    va, vb = (x.m2 / np.maximum(x.count, 1) for x in (a, b))
    pooled = np.sqrt((n * va + m * vb) / np.maximum(n + m - 2, 1))
    delta = np.where((a.count > 0) & (b.count > 0), a.mean - b.mean, 0.0)
    largest = np.maximum(np.maximum(np.abs(a.mean), np.abs(b.mean)) * 1e-12, 1e-300)
    # Two constants apart are infinitely many deviations apart; 99 is enough.
    return np.clip(delta / np.maximum(pooled, largest), -99.0, 99.0)


def pooled_variance(a: Moments, b: Moments, n: Floats, m: Floats) -> Floats:
    """Variance of both groups together, about their common mean."""
    va, vb = (x.m2 / np.maximum(x.count, 1) for x in (a, b))
    total = np.maximum(n + m, 1)
    return (n * va + m * vb) / total + n * m / total**2 * (a.mean - b.mean) ** 2
