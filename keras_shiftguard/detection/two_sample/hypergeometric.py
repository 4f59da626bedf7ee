"""Exact test of a 2 x 2 table: tails of the hypergeometric distribution (Fisher's exact test)."""

import numpy as np
from numpy.typing import ArrayLike

from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, Floats, normal_sf

_MAX_VALUES = 10**6  # largest number of terms of an exact sum: 8 MB for each array of them


def hypergeometric_tails(
    drawn: ArrayLike, size: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> tuple[Floats, Floats]:
    """Returns both tail probabilities of the number of marked samples among `size` drawn ones.

    They are exact, except for very large counts: there the sum leaves out terms more than
    40 standard deviations from the mean, and if it is still too long, the tails are those
    of a normal variable. So memory is bounded for any counts.

    Args:
        drawn: How many of the drawn samples were marked, `(n,)`. All arguments are
            rounded to whole numbers.
        size: How many samples were drawn, `(n,)`.
        marked: How many of all samples are marked, `(n,)`.
        total: How many samples there are, `(n,)`.

    Returns:
        P(at most `drawn`) and P(at least `drawn`), `(n,)` each.
    """
    hits, draws, marks, everyone = (
        np.rint(np.atleast_1d(np.asarray(a, "float64"))) for a in (drawn, size, marked, total)
    )
    hits, draws, marks, everyone = np.broadcast_arrays(hits, draws, marks, everyone)
    lower, upper = np.ones(len(hits)), np.ones(len(hits))
    low, high = np.maximum(0, draws + marks - everyone), np.minimum(draws, marks)
    share = marks / np.maximum(everyone, 1)
    mean = draws * share
    std = np.sqrt(mean * (1 - share) * (everyone - draws) / np.maximum(everyone - 1, 1))
    many = high - low >= _MAX_VALUES
    low = np.where(many, np.maximum(low, np.floor(mean - 40 * std - 1000)), low)
    high = np.where(many, np.minimum(high, np.ceil(mean + 40 * std + 1000)), high)
    many = high - low >= _MAX_VALUES
    if many.any():
        excess, scale = (hits - mean)[many], std[many]
        lower[many] = normal_sf(-(excess + 0.5) / scale)
        upper[many] = normal_sf((excess - 0.5) / scale)
    order = np.argsort(high - low)[: len(hits) - int(many.sum())]
    start = 0
    while start < len(order):  # in pieces of a few MB
        num_terms = (high - low)[order[start:]] + 1
        fits = np.arange(1, len(num_terms) + 1) * num_terms <= 1e6
        rows = order[start : start + max(int(fits.sum()), 1)]
        lower[rows], upper[rows] = _hypergeometric(
            *(a[rows, None] for a in (hits, draws, marks, everyone, low, high))
        )
        start += len(rows)
    return np.clip(lower, SMALLEST_P, 1.0), np.clip(upper, SMALLEST_P, 1.0)


def _hypergeometric(
    drawn: Floats, size: Floats, marked: Floats, total: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Returns both tails, `(n,)` each, from ratios of neighboring probabilities.

    The arguments are `(n, 1)`: those of `hypergeometric_tails`, and the smallest (`low`) and
    the largest (`high`) number of marked samples that is summed over.
    """
    value = low + np.arange(int((high - low).max()) + 1)
    inside = value <= high
    previous = np.where(inside & (value > low), value - 1, low)
    with np.errstate(divide="ignore"):
        log_ratio = np.log((marked - previous) * (size - previous)) - np.log(
            (previous + 1) * (total - marked - size + previous + 1)
        )
    log_p = np.cumsum(np.where(inside & (value > low), log_ratio, 0.0), axis=1)
    log_p = np.where(inside, log_p, -np.inf)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    whole = p.sum(axis=1)
    lower = np.where(value <= drawn, p, 0.0).sum(axis=1) / whole
    upper = np.where(value >= drawn, p, 0.0).sum(axis=1) / whole
    return lower, upper


def hypergeometric_two_sided(
    drawn: ArrayLike, size: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> Floats:
    """Returns p-values of Fisher's exact test, twice the smaller tail, `(n,)`.

    The arguments are those of `hypergeometric_tails`.
    """
    lower, upper = hypergeometric_tails(drawn, size, marked, total)
    return np.minimum(1.0, 2 * np.minimum(lower, upper))
