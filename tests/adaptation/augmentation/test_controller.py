"""`AugmentationController` with attributes that a formula simulates, in NumPy alone."""

import json

import numpy as np
import pytest

from keras_shiftguard.adaptation.augmentation.controller import AugmentationController
from keras_shiftguard.profiles import FeatureTable, Moments

NAMES = ("darker", "brighter", "blur", "noise", "erasing")
ATTRIBUTES = ("brightness", "contrast", "sharpness", "noise")
# Change of each attribute at full strength of each operation, in standard deviations.
RESPONSE = np.array([[-6, 0, 0, 0], [6, 0, 0, 0], [0, -0.5, -8, -2], [0, 0.5, 1, 9], [0, 0, 0, 0]])


def rehearse(strengths):
    """Simulated means of the attributes, like those of `Rehearsal`."""
    return np.tanh(np.atleast_2d(strengths)) / np.tanh(1) @ RESPONSE


def table(mean, n=1000, std=1.0):
    mean = np.asarray(mean, float)
    count = np.full(len(mean), float(n))
    moments = Moments(count, mean, count * np.square(std) * np.ones(len(mean)))
    return FeatureTable(ATTRIBUTES, n, moments)


def after(controller, target, updates=4, train=(0, 0, 0, 0)):
    changes = []
    for _ in range(updates):
        changes += controller.update(table(train), table(target), rehearse)
    return dict(zip(NAMES, controller.strengths, strict=True)), changes


def test_without_shift_nothing_ever_happens(rng):
    controller = AugmentationController(NAMES)
    for _ in range(50):
        noise = rng.normal(0, np.sqrt(2 / 1000), 4)
        assert controller.update(table([0] * 4), table(noise), rehearse) == []
    assert not controller.strengths.any()


@pytest.mark.parametrize(("operation", "planted"), [("darker", 0.3), ("blur", 0.7), ("noise", 0.3)])
def test_a_planted_shift_is_covered_by_what_made_it(operation, planted):
    strengths = np.zeros(len(NAMES))
    strengths[NAMES.index(operation)] = planted
    target = rehearse(strengths)[0]
    controller = AugmentationController(NAMES)
    found, changes = after(controller, target)
    assert abs(found.pop(operation) - planted) < 0.1
    assert not any(found.values())
    assert max(abs(gap) for gap in controller.gaps.values()) < 0.8
    assert {change.operation for change in changes} == {operation}


def test_changes_say_why_with_numbers():
    controller = AugmentationController(NAMES)
    _, changes = after(controller, [0, 0, 0, 5.0], updates=1)
    text = str(changes[0])
    assert text.startswith("noise widened from 0 to 0.44 (sigma 0.22 of the range)")
    assert "the target's noise lies 5.0 standard deviations above training's" in text
    _, changes = after(controller, [0, 0, 0, 0], updates=1)  # the shift is gone
    assert not controller.strengths.any() and "narrowed" in str(changes[0])
    assert "no attribute of the target differs" in changes[0].reason


def test_the_state_continues_where_it_was():
    target = table([-4, 0, 2, 0])
    one = AugmentationController(NAMES)
    one.update(table([0] * 4), target, rehearse)
    other = AugmentationController(NAMES)
    other.restore(json.loads(json.dumps(one.state())))
    for controller in (one, other):
        for _ in range(3):
            controller.update(table([0] * 4), target, rehearse)
    np.testing.assert_array_equal(one.strengths, other.strengths)
    assert one.strengths.any()
