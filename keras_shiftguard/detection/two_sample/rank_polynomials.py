"""Rank polynomials: components of the difference between two histograms.

The polynomials are orthonormal over the pooled histogram. They split the difference into
location (degree 1), spread (2) and shape (3, 4). If the samples are divided at random into two
streams, the means of the polynomials in one stream are uncorrelated, with a variance that is known
exactly, for any distribution and any ties.

Reference: Eubank, LaRiccia and Rosenstein, "Test Statistics Derived as Components of
Pearson's Phi-Squared Distance Measure", JASA 1987.
"""

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import Floats

# Largest degree of the polynomials. A convention, checked in docs/benchmarks/false-alarms.md.
DEGREE = 4
# Weights of the squared components in the test statistic: Anderson and Darling (1952).
WEIGHTS = 1.0 / (np.arange(1, DEGREE + 1) * np.arange(2, DEGREE + 2))
# A component is left out if its mean in the smaller stream has a skewness^2 or an excess kurtosis
# above this, because its null distribution is then not nearly normal. A convention, checked in
# docs/benchmarks/false-alarms.md.
MAX_KURTOSIS = 0.1


def without_empty_bins(ca: Floats, cb: Floats) -> tuple[Floats, Floats]:
    """Returns both histograms `(k, bins)` without the bins that are empty in both.

    Each row is padded with zeros at its end. This saves time, since most rows fill a few
    hundred of a thousand bins. Ranks do not change.
    """
    row, column = np.nonzero(ca + cb)
    num_filled = np.bincount(row, minlength=len(ca))
    place = np.arange(len(row)) - np.repeat(np.cumsum(num_filled) - num_filled, num_filled)
    a, b = (np.zeros((len(ca), max(int(num_filled.max(initial=0)), 1))) for _ in range(2))
    a[row, place], b[row, place] = ca[row, column], cb[row, column]
    return a, b


def components(ca: Floats, cb: Floats, n: Floats, m: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """Returns the components of the difference of `k` pairs of histograms.

    `ca` and `cb` are histograms, `(k, bins)`, and `n` and `m` their sums. Returns three arrays `(k,
    DEGREE)`: the standardized components; the same after the skewness of their null distribution is
    removed; and whether their null distribution is nearly normal.
    """
    pooled = ca + cb
    total = pooled.sum(axis=1, keepdims=True)
    w = pooled / total
    x = 2 * np.cumsum(w, axis=1) - w - 1  # mid-ranks, in (-1, 1), mean 0
    z, normal = np.zeros((len(ca), DEGREE)), np.zeros((len(ca), DEGREE))
    usable = np.zeros((len(ca), DEGREE), bool)
    scale = np.sqrt(n * (total[:, 0] - 1) / m) / n  # gives sums over `ca` a variance of 1
    smaller = np.minimum(n, m)
    older, old = np.zeros_like(x), np.ones_like(x)
    norm = np.zeros((len(ca), 1))
    live = np.ones(len(ca), bool)
    for j in range(DEGREE):
        # The three-term recurrence of orthogonal polynomials, evaluated on this histogram.
        new = x * old
        new -= _dot(w * new, old)[:, None] * old + norm * older
        norm = np.sqrt(_dot(w * new, new))[:, None]
        # A histogram with d different values has no polynomial of degree d or more.
        live = live & (norm[:, 0] > 1e-4)
        new /= np.where(live, norm[:, 0], np.inf)[:, None]
        z[:, j] = _dot(ca, new) * scale
        squared = new * new
        weighted = w * squared
        skewness = _dot(weighted, new)
        normal[:, j] = _without_skewness(z[:, j], skewness * (m - n) / np.sqrt(n * m * (n + m)))
        kurtosis = _dot(weighted, squared) - 3
        usable[:, j] = live & (np.maximum(skewness**2, kurtosis) < MAX_KURTOSIS * smaller)
        older, old = old, new
    return z, normal, usable


def _dot(a: Floats, b: Floats) -> Floats:
    """Returns the dot product of each pair of rows, `(k,)`."""
    products: Floats = np.einsum("kb,kb->k", a, b)
    return products


def _without_skewness(z: Floats, skewness: Floats) -> Floats:
    """Transforms the longer tail of standardized sums `(k,)` to that of a normal distribution."""
    in_longer_tail = (z * skewness > 0) & (np.abs(skewness) > 1e-6)
    third = np.where(in_longer_tail, skewness, 1.0) / 3
    return np.where(in_longer_tail, np.log1p(np.maximum(third * z, 0)) / third, z)
