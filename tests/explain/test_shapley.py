"""Shapley shares add up, and agree with the mean over all orders of removal."""

from itertools import permutations

import numpy as np
import pytest

from keras_shiftguard.explain.shapley import shapley_shares


@pytest.mark.parametrize("causes", [0, 1, 2, 3, 4])
def test_shares_are_the_mean_over_all_orders(causes, rng):
    values = rng.uniform(size=2**causes)
    expected = np.zeros(causes)
    orders = list(permutations(range(causes)))
    for order in orders:
        removed = 0
        for cause in order:
            expected[cause] += values[removed | 1 << cause] - values[removed]
            removed |= 1 << cause
    shares = shapley_shares(values)
    np.testing.assert_allclose(shares, expected / len(orders), atol=1e-12)
    assert abs(shares.sum() - (values[-1] - values[0])) < 1e-12
