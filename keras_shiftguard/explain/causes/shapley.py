"""Shapley shares: the contribution of each cause, averaged over all orders of removal.

Reference: Shapley, "A value for n-person games", 1953.
"""

from math import factorial

import numpy as np


def shapley_shares(values: np.ndarray) -> np.ndarray:
    """Returns the Shapley share of each of `k` causes.

    Args:
        values: Measurements `(2 ** k, ...)`. Entry `i` was measured with those causes
            removed whose bits are 1 in `i`. Each position along the further axes is treated
            separately.

    Returns:
        Shares `(k, ...)`. Their sum is `values[-1] - values[0]`.

    Example:

    >>> shapley_shares(np.asarray([0.5, 0.6, 0.7, 0.9])).round(3).tolist()
    [0.15, 0.25]
    """
    num_causes = int(len(values)).bit_length() - 1
    shares = np.zeros((num_causes, *values.shape[1:]))
    for cause in range(num_causes):
        for removed in range(len(values)):
            if removed >> cause & 1:
                continue
            # `weight`: the share of all orders in which exactly the `removed` causes precede
            # `cause`.
            before = removed.bit_count()
            weight = factorial(before) * factorial(num_causes - before - 1) / factorial(num_causes)
            shares[cause] += weight * (values[removed | 1 << cause] - values[removed])
    return shares
