"""The cost of another class mix, by weighting."""

import numpy as np
import pytest

from keras_shiftguard.experiments.labels.class_mix import cost_of_mix, cost_of_unseen, has_learnt


@pytest.mark.parametrize("other", [1, 5])  # with two counts, class 5 is counted as class 1
def test_another_class_mix(other):
    labels = np.repeat([0, other], [100, 300])
    right = np.random.default_rng(0).random(400) < np.where(labels == 0, 0.9, 0.5)
    cost = cost_of_mix(right, labels, np.array([200, 200]), np.array([100, 300]))
    assert 0.05 < cost.value < 0.15 and cost.interval[0] < 0.1 < cost.interval[1]
    same = cost_of_mix(right, labels, np.array([25, 75]), np.array([100, 300]))
    assert abs(same.value) < 1e-9
    assert cost_of_mix(right, np.ones(400, int), np.array([5, 5]), np.array([0, 9])) is None
    assert cost_of_mix(right[:50], labels[:50], np.array([5, 5]), np.array([5, 5])) is None


def test_a_model_of_rare_classes_has_learned_when_the_mean_of_the_classes_shows_it():
    labels = np.repeat([0, 1], [990, 10])
    assert not has_learnt(labels == 0, labels)  # always the commonest class
    assert has_learnt(np.arange(1000) > 100, labels)


def test_classes_that_training_lacks_cost_what_the_others_have():
    labels = np.repeat([0, 1, 2], [200, 150, 50])
    right = np.where(labels == 2, 0.0, np.arange(400) % 10 > 0)  # .9 of the others
    before, now = np.array([300, 300, 0]), np.array([200, 150, 50])
    cost = cost_of_unseen(right, labels, before, now, np.ones(100))
    assert abs(cost.value - 0.9 * 50 / 400) < 0.002 and cost.is_alarm(0.01)
    # All samples are of unseen classes: training says how well others are predicted.
    cost = cost_of_unseen(right[350:], labels[350:], before, now, np.ones(100))
    assert cost is None  # 50 samples are too few
    cost = cost_of_unseen(np.zeros(400), np.full(400, 2), before, now, np.full(100, 0.8))
    assert abs(cost.value - 0.8) < 1e-9
    # A model that predicts them has seen them, in a pass that was not counted.
    assert not cost_of_unseen(np.ones(400), labels, before, now, np.ones(100)).is_alarm(0.01)
    assert cost_of_unseen(right, labels, now, now, np.ones(100)) is None
