"""Pairs of columns that may be exchanged, as the model gets them or before a scaler.

The pairs are read from the rows themselves, without labels: exchanged, two columns have each
other's moments, and each other's correlations with the rest.
"""

import numpy as np

from keras_shiftguard.account.candidates.candidates import NEAR, TINY
from keras_shiftguard.account.candidates.moments import Moments

MOST = 20  # pairs that are tried, and columns that are taken out one by one. A convention.
# The moments show plainly that two columns are exchanged if that brings them nearer by so much, in
# squared standard deviations, and takes away this share of what differs in the two columns. The
# correlations of a column show its sign likewise. Conventions.
MIN_NEARER, MIN_REMOVED = 0.05, 0.5


def exchanges(
    here: Moments, there: Moments, correlations: np.ndarray, others: np.ndarray
) -> list[tuple[tuple[int, int], bool]]:
    """Returns the pairs of columns that may be exchanged, the likeliest first.

    With each pair comes whether the moments show plainly that it is exchanged.

    Exchanged, two columns should have each other's moments, and each other's correlations with the
    rest. Columns that were standardised have the same moments, and if they are independent no
    correlations either, so of few columns all pairs are tried.
    """
    unit = there.std + TINY
    # The distance of column i, put in the place of column j, from the reference.
    mean = np.arcsinh((here.mean[:, None] - there.mean[None]) / unit) ** 2
    distance = mean + np.log((here.std[:, None] + TINY) / unit) ** 2
    own = np.diag(distance)
    gain = own[:, None] + own[None] - distance - distance.T
    one, other = np.nonzero(np.triu(np.ones_like(gain, bool), 1))
    found = (gain + _nearer(correlations, others))[one, other]
    best = np.argsort(-found, kind="stable")[:MOST]
    if len(one) > MOST:
        best = best[found[best] > 0]
    is_plain = gain > np.maximum(MIN_NEARER, MIN_REMOVED * (own[:, None] + own[None]))
    pairs = [(int(one[i]), int(other[i])) for i in best]
    return [(pair, bool(is_plain[pair])) for pair in pairs]


def unscaled_exchanges(
    here: Moments, there: Moments, correlations: np.ndarray, others: np.ndarray
) -> list[tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]]:
    """Returns the pairs of columns that may have been exchanged before each was scaled.

    The scaler then gives each column the values of the other one in its own unit. Whatever linear
    map it makes of a column, one deviation grows as much as the other one shrinks, the means move
    in opposite directions, and each column has the correlations of the other one. With each pair
    come the factors and the offsets that follow the exchange.
    """
    vary = (here.std >= TINY) & (there.std >= TINY)
    root = np.sqrt(np.where(vary, here.std / (there.std + TINY), 1.0))
    grown, ahead = np.log(root), (here.mean - there.mean) / (there.std + TINY) / root
    moved, nearer = vary & here.moved_from(there), _nearer(correlations, others)
    fits = moved[:, None] & moved & (nearer > 0)
    # Sampling moves a sum of means by more if one of the deviations is large.
    for each, chance in ((grown, np.ones_like(root)), (ahead, root)):
        much = np.abs(each) + chance
        fits &= np.abs(each[:, None] + each) < NEAR * (much[:, None] + much)
    one, other = np.nonzero(np.triu(fits, 1))
    found = []
    for k in np.argsort(-nearer[one, other], kind="stable")[:MOST]:
        pair = np.array([one[k], other[k]])
        factors = there.std[pair] / here.std[pair[::-1]]
        offsets = there.mean[pair] - factors * here.mean[pair[::-1]]
        is_plain = np.abs(np.log(factors)) < NEAR  # they may be exchanged as the model gets them
        if not (is_plain & (np.abs(offsets) < NEAR * there.std[pair])).all():
            found.append((tuple(pair.tolist()), tuple(factors.tolist()), tuple(offsets.tolist())))
    return found


def _nearer(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Returns how much nearer an exchange of two columns brings their correlations.

    The result has the shape `(columns, columns)`.
    """
    own = np.square(here - there).sum(axis=1)
    norms = np.square(here).sum(axis=1)[:, None] + np.square(there).sum(axis=1)
    apart = norms - 2 * here @ there.T  # of row i here from row j there
    # In the exchanged rows, the two columns themselves have changed places as well.
    return np.asarray(own[:, None] + own - apart - apart.T + 4 * here * there)
