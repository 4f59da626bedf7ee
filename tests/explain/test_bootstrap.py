"""Bootstrap intervals have the right coverage, and a `Mix` gives the right class weights."""

import numpy as np
import pytest

from keras_shiftguard.explain.bootstrap import (
    Mix,
    Resampling,
    difference,
    interval,
    paired_difference,
    wilson,
)


def test_plain_accuracy_is_the_mean(rng):
    scores = rng.integers(0, 2, (3, 500)).astype(float)
    found = Resampling(500, None).accuracies(scores)
    np.testing.assert_allclose(found.point, scores.mean(axis=1))
    error = found.draws.std(axis=1)
    np.testing.assert_allclose(error, scores.std(axis=1) / np.sqrt(500), rtol=0.1)


def test_a_mix_weighs_the_classes(rng):
    labels = np.repeat([0, 2], [90, 10])
    scores = (labels == 0).astype(float)[None]
    resampling = Resampling(100, labels)
    half = Mix(np.asarray([0.5, 0.0, 0.5]))
    assert resampling.accuracies(scores).point[0] == pytest.approx(0.9)
    assert resampling.accuracies(scores, half).point[0] == pytest.approx(0.5)


def test_a_class_that_is_missing_is_left_out():
    labels = np.asarray([0, 0, 1, 1])
    scores = np.asarray([[1.0, 1.0, 0.0, 0.0]])
    found = Resampling(4, labels).accuracies(scores, Mix(np.asarray([0.25, 0.25, 0.5])))
    assert found.point[0] == pytest.approx(0.5)


def test_the_draws_are_the_same_for_all_readings(rng):
    scores = rng.integers(0, 2, (2, 200)).astype(float)
    resampling = Resampling(200, None)
    together = resampling.accuracies(scores)
    apart = [resampling.accuracies(row[None]).draws[0] for row in scores]
    np.testing.assert_array_equal(together.draws, np.stack(apart))


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


@pytest.mark.parametrize("right", [20, 18, 10, 0])
def test_twenty_samples_have_an_interval_whatever_they_say(right):
    low, high = wilson(right / 20, 20)
    assert -1e-12 <= low < high <= 1 + 1e-12 and high - low > 0.15


def test_two_samples_of_one_rate_differ_rarely(rng):
    alarms = 0
    for _ in range(1000):
        a, b = (rng.binomial(n, 0.9) / n for n in (2000, 200))
        alarms += difference(a, 2000, b, 200)[0] > 0
    assert alarms <= 45  # 25 are expected: 2.5 % on this side


def test_an_exact_reference_adds_no_doubt():
    assert difference(0.9, 0, 0.8, 400)[1] < difference(0.9, 400, 0.8, 400)[1]


def test_pairs_that_agree_still_have_an_interval():
    low, high = paired_difference(np.ones(20), np.ones(20))
    assert low < 0 < high and high == pytest.approx(-low)


def test_pairs_say_more_than_two_samples(rng):
    first = (rng.uniform(size=400) < 0.9).astype(float)
    second = first.copy()
    second[np.flatnonzero(first)[:12]] = 0
    assert paired_difference(first, second)[0] > 0
    assert difference(first.mean(), 400, second.mean(), 400)[0] < 0
