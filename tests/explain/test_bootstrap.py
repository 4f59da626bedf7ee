"""Bootstrap intervals have the right coverage, and a `Mix` gives the right class weights."""

import numpy as np

from keras_shiftguard.explain.bootstrap import Mix, Resampling, interval


def test_plain_accuracy_is_the_mean(rng):
    scores = rng.integers(0, 2, (3, 500)).astype(float)
    found = Resampling(500, None).accuracies(scores)
    np.testing.assert_allclose(found.point, scores.mean(axis=1))
    error = found.draws.std(axis=1)
    np.testing.assert_allclose(error, scores.std(axis=1) / np.sqrt(500), rtol=0.1)


def test_the_interval_of_a_weighed_accuracy_covers_it(rng):
    wanted = np.asarray([0.5, 0.5])
    true = 0.5 * 0.9 + 0.5 * 0.4
    covered = 0
    for _ in range(200):
        labels = (rng.uniform(size=400) < 0.2).astype(int)
        scores = rng.uniform(size=400) < np.where(labels == 0, 0.9, 0.4)
        found = Resampling(400, labels, 300).accuracies(scores[None].astype(float), Mix(wanted))
        low, high = interval(found.draws[0])
        covered += low <= true <= high
    assert covered >= 180
