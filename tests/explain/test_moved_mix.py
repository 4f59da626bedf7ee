"""The accuracy of a classifier if only the class mix differs from a reference."""

import numpy as np
import pytest

from keras_shiftguard.explain.moved_mix import MovedMix

RIGHT = np.array([0.95, 0.7, 0.8])  # accuracy of each class


def predictions(mix, size, rng, sure=0.9):
    """Returns probabilities and labels; wrong predictions name the next class."""
    y = rng.choice(3, size, p=mix)
    is_right = rng.random(size) < RIGHT[y]
    confidence = np.where(is_right, sure, sure - 0.2) + rng.uniform(-0.05, 0.05, size)
    p = np.full((size, 3), 0.0)
    p[:] = ((1 - confidence) / 2)[:, None]
    p[np.arange(size), np.where(is_right, y, (y + 1) % 3)] = confidence
    return p, y


@pytest.fixture(scope="module")
def reference():
    return MovedMix.of(*predictions([0.6, 0.2, 0.2], 2000, np.random.default_rng(0)))


def test_another_mix_has_the_accuracies_of_its_classes(reference):
    rng = np.random.default_rng(1)
    held, known = [], []
    for mix in 4 * [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4]]:
        p, y = predictions(mix, 1000, rng)
        known.append(reference.is_all(p))
        low, high = reference.interval(p, 0.05)
        truth = (p.argmax(axis=1) == y).mean()
        assert abs(reference.accuracy(p) - truth) < 0.06 and high - low < 0.15
        held.append(low <= truth <= high)
    assert sum(held) >= 10 and sum(known) >= 9
    # Another confidence is not explained by the mix.
    assert not reference.is_all(predictions([0.1, 0.8, 0.1], 1000, rng, sure=0.8)[0])


def test_a_class_that_the_reference_lacks_is_no_other_mix():
    rng = np.random.default_rng(4)
    p, y = predictions([0.6, 0.2, 0.2], 2000, rng)
    known = MovedMix.of(np.hstack([p, np.zeros((2000, 1))]), y)
    data = np.hstack([predictions([0.2, 0.6, 0.2], 1000, rng)[0], np.zeros((1000, 1))])
    assert known.is_all(data)
    data[:300] = [0.0, 0.0, 0.1, 0.9]  # a class without any label
    assert not known.is_all(data)
