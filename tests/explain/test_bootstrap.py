"""Bootstrap intervals have the right coverage, a mix its weights, and Shapley shares add up."""

from itertools import permutations

import numpy as np
import pytest

from keras_shiftguard.explain.causes.bootstrap import Mix, Resampling
from keras_shiftguard.explain.causes.shapley import shapley_shares


def test_plain_accuracy_is_the_mean(rng):
    scores = rng.integers(0, 2, (3, 500)).astype(float)
    found = Resampling(500).accuracies(scores)
    np.testing.assert_allclose(found.point, scores.mean(axis=1))
    error = found.draws.std(axis=1)
    np.testing.assert_allclose(error, scores.std(axis=1) / np.sqrt(500), rtol=0.1)


def test_the_interval_of_a_weighed_accuracy_covers_it(rng):
    true, covered = 0.5 * 0.9 + 0.5 * 0.4, 0
    for _ in range(100):
        labels = (rng.uniform(size=400) < 0.2).astype(int)
        scores = rng.uniform(size=(1, 400)) < np.where(labels == 0, 0.9, 0.4)
        mix = Mix(np.asarray([0.5, 0.5]), labels)
        low, high = Resampling(400).accuracies(scores.astype(float), mix)[0].interval
        covered += low <= true <= high
    assert covered >= 90


@pytest.mark.parametrize("causes", [0, 1, 3])
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
