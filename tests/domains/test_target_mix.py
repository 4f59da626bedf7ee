"""Estimates of the target's class mix, from a linear model's predictions for real digits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_shiftguard.domains.target_mix import class_shares, distance, em_mix, target_mix


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Digits:
    """900 digits for training, the other 897 for a target, and a softmax regression."""

    def __init__(self):
        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.target))
        x, y = digits.data[order] / 16, digits.target[order]
        self.x, self.y = x[900:], y[900:]
        self.mix = class_shares(y[:900], 10)
        self.weights = np.zeros((65, 10))
        for _ in range(300):
            error = self.probabilities(x[:900]) - np.eye(10)[y[:900]]
            self.weights -= 2.0 * np.c_[x[:900], np.ones(900)].T @ error / 900

    def probabilities(self, x):
        return softmax(np.c_[x, np.ones(len(x))] @ self.weights)


@pytest.fixture(scope="module")
def digits():
    return Digits()


def test_less_contrast_is_no_other_mix(digits):
    p = digits.probabilities(0.3 + 0.4 * digits.x)
    assert (p.argmax(axis=1) == digits.y).mean() > 0.9
    assert em_mix(p, digits.mix).max() > 0.5  # wrong: the shares are about equal
    assert target_mix(p, digits.mix, digits.mix) is digits.mix


def test_five_classes_that_the_target_lacks(digits):
    there = digits.y < 5
    p = digits.probabilities(digits.x[there])
    true, found = class_shares(digits.y[there], 10), target_mix(p, digits.mix, digits.mix)
    assert distance(digits.mix, true) > 0.45 and distance(found, true) < 0.05
    assert found.min() >= 0 and found.sum() == pytest.approx(1)


def test_expectation_maximisation_for_predictions_that_overlap(rng):
    y = np.repeat([0, 1], [9000, 1000])
    x = rng.normal(size=10000) + 2.0 * y  # for equal class shares, the log-odds are 2 x - 2
    p = 1 / (1 + np.exp(-np.outer(2 * x - 2, [-1, 1])))
    assert abs(p.mean(axis=0)[1] - 0.1) > 0.05  # the mean prediction is far off
    np.testing.assert_allclose(em_mix(p, np.array([0.5, 0.5])), [0.9, 0.1], atol=0.02)
