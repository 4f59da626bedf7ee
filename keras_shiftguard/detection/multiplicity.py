"""Many tests in one look, one false-alarm rate for all of them.

Tests come in families (the features of an input, its embedding, the labels) and
each family gets a share of the rate, divided among its members. Weighted Holm
then says which members differ; weighted Simes within a family, and the union
bound over families, say whether anything does. Simes is a little sharper where
many members differ a little; it holds under the dependence that features of the
same samples have (measured, `examples/benchmarks/detection_calibration.py`).

Reference: Holm, Scandinavian Journal of Statistics 1979; Simes, Biometrika 1986.
"""

from collections.abc import Sequence

import numpy as np

from keras_shiftguard.detection.distributions import SMALLEST_P, Floats


def holm(p_values: Floats, weights: Floats, level: float) -> np.ndarray:
    """Which hypotheses fall, with the family-wise error at most `level`.

    Args:
        p_values: `(k,)`.
        weights: Shares of the level, positive, `(k,)`; any sum.
        level: Family-wise error rate.

    Returns:
        Boolean, `(k,)`.
    """
    order = np.argsort(p_values / weights, kind="stable")
    remaining = np.cumsum(weights[order][::-1])[::-1]
    falls = p_values[order] * remaining <= level * weights[order]
    rejected = np.zeros(len(p_values), bool)
    rejected[order] = np.logical_and.accumulate(falls)
    return rejected


def simes(p_values: Floats) -> float:
    """P-value of "none of them differs"."""
    k = len(p_values)
    return float(np.min(np.sort(p_values) * k / np.arange(1, k + 1), initial=1.0))


def global_p(families: Sequence[Floats], shares: Floats) -> float:
    """P-value of "nothing in any family differs".

    Args:
        families: P-values of each family; none of them empty.
        shares: What each family gets of the level; made to add up to 1.
    """
    shares = shares / shares.sum()
    best = [simes(p) / share for p, share in zip(families, shares, strict=True)]
    return float(np.clip(min(best, default=1.0), SMALLEST_P, 1.0))
