"""Polynomials of the rank: where, and how, two histograms differ.

Orthonormal over the pooled histogram, they split the difference into location
(degree 1), spread (2) and shape (3, 4). Under the permutation null their means in
one group are uncorrelated, with a variance known exactly, whatever the distribution
and its ties.

Reference: Eubank, LaRiccia and Rosenstein, "Test Statistics Derived as Components of
Pearson's Phi-Squared Distance Measure", JASA 1987.
"""

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import Floats

DEGREE = 4
WEIGHTS = 1.0 / (np.arange(1, DEGREE + 1) * np.arange(2, DEGREE + 2))
# A component whose mean in the smaller group would have more skewness^2 or
# excess kurtosis than this has no near normal null, and is left out.
MOST_KURTOSIS = 0.1


def without_empty_bins(ca: Floats, cb: Floats) -> tuple[Floats, Floats]:
    """Each row without its empty bins, filled up with zeros at its end.

    Ranks stay as they are, and of a thousand bins a row mostly fills a few hundred.
    """
    row, column = np.nonzero(ca + cb)
    filled = np.bincount(row, minlength=len(ca))
    place = np.arange(len(row)) - np.repeat(np.cumsum(filled) - filled, filled)
    a, b = (np.zeros((len(ca), max(int(filled.max(initial=0)), 1))) for _ in range(2))
    a[row, place], b[row, place] = ca[row, column], cb[row, column]
    return a, b


def components(ca: Floats, cb: Floats, n: Floats, m: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """Rank polynomials, `(k, DEGREE)` each.

    Returns:
        `z`: standardised; the same with the skewness of its null taken out;
        and which of them have a near normal null.
    """
    pooled = ca + cb
    total = pooled.sum(axis=1, keepdims=True)
    w = pooled / total
    x = 2 * np.cumsum(w, axis=1) - w - 1  # mid-ranks, in (-1, 1), mean 0
    z, normal = np.zeros((len(ca), DEGREE)), np.zeros((len(ca), DEGREE))
    usable = np.zeros((len(ca), DEGREE), bool)
    scale = np.sqrt(n * (total[:, 0] - 1) / m) / n
    smaller = np.minimum(n, m)
    older, old = np.zeros_like(x), np.ones_like(x)
    back = np.zeros((len(ca), 1))
    live = np.ones(len(ca), bool)
    for j in range(DEGREE):
        # The three-term recurrence, numerically, over this histogram.
        new = x * old
        new -= _dot(w * new, old)[:, None] * old + back * older
        back = np.sqrt(_dot(w * new, new))[:, None]
        live = live & (back[:, 0] > 1e-4)  # else: no more different values left
        new /= np.where(live, back[:, 0], np.inf)[:, None]
        z[:, j] = _dot(ca, new) * scale
        square = new * new
        weighted = w * square
        skewness = _dot(weighted, new)
        normal[:, j] = _without_skewness(z[:, j], skewness * (m - n) / np.sqrt(n * m * (n + m)))
        kurtosis = _dot(weighted, square) - 3
        usable[:, j] = live & (np.maximum(skewness**2, kurtosis) < MOST_KURTOSIS * smaller)
        older, old = old, new
    return z, normal, usable


def _dot(a: Floats, b: Floats) -> Floats:
    """Row by row, `(k,)`."""
    products: Floats = np.einsum("kb,kb->k", a, b)
    return products


def _without_skewness(z: Floats, skewness: Floats) -> Floats:
    """Shortens the longer tail of a standardised sum, to the tail of a normal."""
    longer = (z * skewness > 0) & (np.abs(skewness) > 1e-6)
    third = np.where(longer, skewness, 1.0) / 3
    return np.where(longer, np.log1p(np.maximum(third * z, 0)) / third, z)
