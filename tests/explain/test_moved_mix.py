"""The accuracy of a classifier if only the class mix differs from a reference."""

import numpy as np
import pytest

from keras_shiftguard.explain.moved_mix import MixEstimate, MovedMix

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
    errors = []
    for mix in ([0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4]):
        p, y = predictions(mix, 1000, rng)
        estimate = reference.estimate(p)
        assert estimate.is_all
        errors.append((estimate.accuracy - (p.argmax(axis=1) == y).mean()) / estimate.error)
    assert np.abs(errors).max() < 3


def test_the_same_mix_has_not_moved(reference):
    rng = np.random.default_rng(2)
    moved = [reference.estimate(predictions([0.6, 0.2, 0.2], 400, rng)[0]) for _ in range(40)]
    assert sum(each.has_moved for each in moved) <= 8
    assert np.mean([each.explains for each in moved]) > 0.9


def test_another_confidence_is_not_explained_by_the_mix(reference):
    p, _ = predictions([0.1, 0.8, 0.1], 1000, np.random.default_rng(3), sure=0.8)
    estimate = reference.estimate(p)
    assert estimate.has_moved and not estimate.explains and not estimate.is_all


def test_a_class_with_few_labelled_samples_has_no_accuracy():
    labels = np.repeat([0, 1, 2], [50, 50, 4])
    assert MovedMix.of(np.eye(3)[labels], labels) is None
    # A class without any labelled sample is left out.
    some = MovedMix.of(np.eye(3)[labels[:100]], labels[:100])
    assert some.estimate(np.eye(3)[[0, 1, 1, 1]]).accuracy == pytest.approx(1.0)


def test_the_interval():
    estimate = MixEstimate(0.9, 0.03, True, True)
    low, high = estimate.interval(0.05, beyond=0.0)
    assert (0.9 - low, high) == (
        pytest.approx(1.96 * 0.03, abs=1e-4),
        pytest.approx(0.9588, abs=1e-4),
    )
    wider = estimate.interval(0.05, beyond=0.1)
    assert wider[0] < low and wider[1] == 1.0
