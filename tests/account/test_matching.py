"""`matched`: the assignment with the least cost."""

from itertools import permutations

import numpy as np

from keras_shiftguard.account.matching import matched


def test_no_other_assignment_costs_less():
    rng = np.random.default_rng(0)
    for number in (1, 2, 5, 6):
        cost = rng.normal(size=(number, number))
        found = matched(cost)
        assert sorted(found) == list(range(number))
        best = min(cost[np.arange(number), list(p)].sum() for p in permutations(range(number)))
        assert np.isclose(cost[np.arange(number), found].sum(), best)
