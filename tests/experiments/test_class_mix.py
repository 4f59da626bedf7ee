"""The cost of another class mix, by weighting."""

import numpy as np

from keras_shiftguard.experiments.class_mix import cost_of_mix, has_learnt


def test_another_class_mix():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [100, 300])
    right = rng.random(400) < np.where(labels == 0, 0.9, 0.5)
    cost = cost_of_mix(right, labels, np.array([200, 200]), np.array([100, 300]))
    assert 0.05 < cost.value < 0.15 and cost.interval[0] < 0.1 < cost.interval[1]
    same = cost_of_mix(right, labels, np.array([25, 75]), np.array([100, 300]))
    assert abs(same.value) < 1e-9
    assert cost_of_mix(right, np.ones(400, int), np.array([5, 5]), np.array([0, 9])) is None
    assert cost_of_mix(right[:50], labels[:50], np.array([5, 5]), np.array([5, 5])) is None


def test_more_classes_than_are_counted_apart():
    labels = np.repeat([0, 5], [100, 300])  # with two counts, class 5 is counted as class 1
    right = np.random.default_rng(0).random(400) < np.where(labels == 0, 0.9, 0.5)
    cost = cost_of_mix(right, labels, np.array([200, 200]), np.array([100, 300]))
    assert 0.05 < cost.value < 0.15


def test_a_model_of_rare_classes_has_learned_when_the_mean_of_the_classes_shows_it():
    labels = np.repeat([0, 1], [990, 10])
    assert not has_learnt(labels == 0, labels)  # always the commonest class
    assert has_learnt(np.arange(1000) > 100, labels)
