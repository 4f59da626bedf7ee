"""t-tests and effect sizes from moments, for features whose histogram is too coarse."""

import numpy as np

from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.tail_probabilities import Floats, student_t_sf
from keras_shiftguard.profiles import Moments


def mean_tests(a: Moments, b: Moments, n: Floats, m: Floats, rows: np.ndarray) -> Floats:
    """Returns the larger of the p-values of Welch's and Student's t, `(rows,)`.

    For a skewed distribution and unequal sizes, each of the two rejects too often in one direction,
    in which the other does not. Two equal constants get a p-value of 1, two different constants the
    smallest one that a permutation test could give. `a` and `b` are the moments of `k` features,
    `n` and `m` their numbers of distinct samples, `(k,)`, and `rows` the indices of the features to
    test.
    """
    n, m = n[rows], m[rows]
    va, vb = ((x.m2 / np.maximum(x.count, 1))[rows] for x in (a, b))
    va, vb = va * n / (n - 1), vb * m / (m - 1)
    delta = a.mean[rows] - b.mean[rows]
    pooled = ((n - 1) * va + (m - 1) * vb) / (n + m - 2)
    squared_error = va / n + vb / m  # of the difference, for Welch's t
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = squared_error**2 / ((va / n) ** 2 / (n - 1) + (vb / m) ** 2 / (m - 1))
        t_welch = np.abs(delta) / np.sqrt(squared_error)
        t_pooled = np.abs(delta) / np.sqrt(pooled * (1 / n + 1 / m))
    undefined = ~(np.isfinite(t_welch) & np.isfinite(degrees) & np.isfinite(t_pooled))
    different_constants = (delta != 0) & (squared_error == 0)
    p = np.maximum(
        2 * student_t_sf(np.where(undefined, 0.0, t_welch), np.where(undefined, 1.0, degrees)),
        2 * student_t_sf(np.where(undefined, 0.0, t_pooled), n + m - 2),
    )
    p = np.where(undefined, 1.0, p)
    if different_constants.any():
        exact = hypergeometric_two_sided(n, n, n, n + m)
        p = np.where(different_constants, exact, p)
    return p


def cohens_d(a: Moments, b: Moments, n: Floats, m: Floats) -> Floats:
    """Returns Cohen's d: the difference of the means in pooled standard deviations, `(k,)`.

    It is limited to 99, since it would be infinite for two different constants, and it is 0 if a
    stream has no samples. The arguments are those of `mean_tests`.
    """
    va, vb = (x.m2 / np.maximum(x.count, 1) for x in (a, b))
    pooled = np.sqrt((n * va + m * vb) / np.maximum(n + m - 2, 1))
    delta = np.where((a.count > 0) & (b.count > 0), a.mean - b.mean, 0.0)
    # Smaller deviations are rounding errors.
    smallest = np.maximum(np.maximum(np.abs(a.mean), np.abs(b.mean)) * 1e-12, 1e-300)
    return np.clip(delta / np.maximum(pooled, smallest), -99.0, 99.0)
