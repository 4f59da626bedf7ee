"""Only findings that a new class mix explains are removed."""

from dataclasses import replace

import numpy as np
import pytest
from numpy_reference import labels
from sklearn.datasets import load_digits

from keras_shiftguard.detection.causes.other_class_mix import (
    classes_unchanged,
    without_effects_of_class_mix,
)
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.said import Said

ALL = (1.0, 1.0)


@pytest.fixture(scope="module")
def halves():
    """Returns two halves of the digits; in the second, even digits are rare."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    first, second = order[:900], order[900:]
    second = second[(y[second] % 2 == 1) | (np.arange(len(second)) % 4 == 0)]
    return (x[first], y[first]), (x[second], y[second])


def of(feature, effect, kind="covariate", **more):
    return Finding(
        **{"feature": feature, "kind": kind, "family": kind, "effect_size": effect},
        **{"interval": (effect - 0.1, effect + 0.1), "p_value": 1e-4, "stream": "validation"},
        **{"against": "train", "since": None, "said": Said("It differs")},
        **more,
    )


def test_another_mix_of_the_same_classes(halves):
    reference, (x, y) = halves
    assert classes_unchanged(labels(x, y), labels(*reference), ALL)
    dark = labels(x * 0.6, y)
    assert not classes_unchanged(dark, labels(*reference), ALL)
    assert not classes_unchanged(labels(*reference), dark, ALL)
    # One class of ten that looks different is detected.
    upside_down = np.where((y == 7)[:, None], x[:, ::-1], x)
    assert not classes_unchanged(labels(upside_down, y), labels(*reference), ALL)


def test_what_follows_from_the_mix_is_left_out(halves):
    reference, current = (labels(*half) for half in halves)
    mix, within, beyond = of("labels", 0.8, "label"), of("input/a", -1.0), of("input/b", -1.01)
    other = of("input", 0.1, "preprocessing")
    left = without_effects_of_class_mix([mix, within, beyond, other], current, reference, ALL)
    assert left == [
        replace(mix, said=Said("It differs", follows="the other differences follow from it")),
        *(beyond, other),
    ]
    alone = [mix, beyond, other]
    assert without_effects_of_class_mix(alone, current, reference, ALL) == alone


def test_without_a_mix_that_matters_nothing_is_left_out(halves):
    (x, y), current = halves[0], labels(*halves[1])
    reference, small = labels(x, y), of("input/a", 0.1)
    for mix in (
        of("labels", 0.8, "label", negligible=True),
        of("labels", 0.8, "covariate"),  # labels of a regression
        of("predictions", 0.8, "label"),
    ):
        assert without_effects_of_class_mix([mix, small], current, reference, ALL) == [mix, small]
    found = [of("labels", 0.8, "label"), small]
    assert without_effects_of_class_mix(found, labels(x * 0.6, y), reference, ALL) == found
    assert without_effects_of_class_mix([small], current, reference, ALL) == [small]
