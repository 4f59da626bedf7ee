"""Classes from separate groups of the target, with groups of any shape."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from keras_shiftguard.adaptation.domains.target_classes import find_classes
from keras_shiftguard.adaptation.domains.target_groups import separate_groups


def two_moons(rng, samples=300, degrees=0):
    x, y = make_moons(samples, noise=0.05, random_state=int(rng.integers(1000)))
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (x - [0.5, 0.25]) @ rotation.T, y


def mostly(labels, rng, right):
    return np.where(rng.random(len(labels)) < right, labels, 1 - labels)


def test_moons_are_found_from_answers_that_are_often_wrong(rng):
    x, y = two_moons(rng, degrees=35)
    x[:3] = [[3, 3], [3.05, 3], [3, 3.05]]  # outliers
    found = separate_groups(x, mostly(y, rng, 0.78), classes=2)
    assert (found[3:] == y[3:]).all()
    assert set(found[:3]) <= {-1, *y[:3]}


@pytest.mark.parametrize(
    "why", ["one group", "three groups", "the same name", "no majority", "few samples"]
)
def test_no_groups_no_classes(rng, why):
    x, y = two_moons(rng)
    predicted = mostly(y, rng, 0.8)
    if why == "one group":
        x = rng.normal(0, 1, x.shape)
    elif why == "three groups":
        x[: len(x) // 3] += 10
    elif why == "the same name":
        predicted = np.zeros_like(predicted)
    elif why == "no majority":
        predicted = mostly(y, rng, 0.55)
    else:
        x, predicted = x[:30], predicted[:30]
    assert separate_groups(x, predicted, classes=2) is None


def test_the_rule_tells_moons_apart_and_keeps_to_the_groups_it_is_given(rng):
    width = 64
    kernel, bias = rng.normal(0, 1, (2, width)), rng.normal(0, 0.5, width)

    def features(x):
        return np.maximum(x @ kernel + bias, 0)

    source, y = two_moons(rng)
    target, truth = two_moons(rng, degrees=35)
    predicted = np.eye(2)[mostly(truth, rng, 0.75)]
    found = find_classes(features(source), y, features(target), predicted)
    assert found.groups is not None and found.agreement == 1
    assert (found.probabilities.argmax(axis=1) == truth).mean() > 0.98
    given = find_classes(features(source), y, features(target), predicted, groups=1 - truth)
    assert (given.probabilities.argmax(axis=1) == 1 - truth).mean() > 0.98
