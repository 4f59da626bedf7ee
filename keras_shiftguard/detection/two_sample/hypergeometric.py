"""Exact test of a 2 x 2 table: tails of the hypergeometric distribution (Fisher's exact test)."""

import numpy as np
from numpy.typing import ArrayLike

from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, Floats, normal_sf

# Terms of an exact sum; with more, the distribution is as good as normal. A convention.
_MAX_TERMS = 10**6


def hypergeometric_tails(
    drawn: ArrayLike, size: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> tuple[Floats, Floats]:
    """Returns both tail probabilities of the number of marked samples among `size` drawn ones.

    Of `total` samples, `marked` ones are marked, and of the `size` drawn ones, `drawn` were. All
    are `(n,)`, and are rounded to whole numbers. Returns P(at most `drawn`) and P(at least
    `drawn`), `(n,)` each.
    """
    numbers = (
        np.rint(np.atleast_1d(np.asarray(a, "float64"))) for a in (drawn, size, marked, total)
    )
    rows = zip(*np.broadcast_arrays(*numbers), strict=True)
    tails = np.array([_tails(*map(float, row)) for row in rows]).reshape(-1, 2)
    tails = np.clip(tails, SMALLEST_P, 1.0)
    return tails[:, 0], tails[:, 1]


def _tails(drawn: float, size: float, marked: float, total: float) -> tuple[float, float]:
    """Returns both tails of one table, from ratios of neighboring probabilities."""
    share = marked / max(total, 1)
    mean = size * share
    std = np.sqrt(mean * (1 - share) * (total - size) / max(total - 1, 1))
    # Terms more than 40 standard deviations from the mean are left out: they are below SMALLEST_P.
    low = max(0, size + marked - total, np.floor(mean - 40 * std - 1000))
    high = min(size, marked, np.ceil(mean + 40 * std + 1000))
    if high - low >= _MAX_TERMS:
        z = (drawn - mean + np.array([0.5, -0.5])) / std
        return float(normal_sf(-z[0])), float(normal_sf(z[1]))
    value = np.arange(low, high + 1)
    before = value[:-1]
    log_ratio = np.log((marked - before) * (size - before)) - np.log(
        (before + 1) * (total - marked - size + before + 1)
    )
    log_p = np.append(0.0, np.cumsum(log_ratio))
    p = np.exp(log_p - log_p.max())
    return p[value <= drawn].sum() / p.sum(), p[value >= drawn].sum() / p.sum()


def hypergeometric_two_sided(
    drawn: ArrayLike, size: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> Floats:
    """Returns p-values of Fisher's exact test, twice the smaller tail, `(n,)`.

    The arguments are those of `hypergeometric_tails`.
    """
    lower, upper = hypergeometric_tails(drawn, size, marked, total)
    return np.minimum(1.0, 2 * np.minimum(lower, upper))
