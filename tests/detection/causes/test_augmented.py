"""Augmentation of training is recognized, and a shift is not taken for augmentation."""

from functools import cache

import numpy as np
import pytest
from keras import layers, ops
from sklearn.datasets import load_digits

from keras_shiftguard import profile
from keras_shiftguard.detection.causes.augmented import is_small, looks_augmented, may_be
from keras_shiftguard.detection.finding import Finding


@cache
def digits(part):
    """Returns half of the digits, on a gray background, `(n, 16, 16, 1)`."""
    x = load_digits().images[part::2] / 16
    return np.kron(x, np.ones((1, 2, 2)))[..., None].astype("float32") * 0.5 + 0.25


def of(x):
    (found,) = profile(np.asarray(x, "float32")).inputs.values()
    return found


def augmented(layer, x):
    return ops.convert_to_numpy(layer(x, training=True))


def test_plain_halves_of_a_data_set_are_not_augmented():
    assert not looks_augmented(of(digits(0)), of(digits(1)))
    assert not looks_augmented(of(digits(1)), of(digits(0)))


def test_spread_around_the_same_centre_is_recognised():
    train = augmented(layers.RandomBrightness(0.2, value_range=(0, 1), seed=0), digits(0))
    found = looks_augmented(of(train), of(digits(1)))
    assert "brightness" in found.features
    assert found.wider > 1.5
    assert "around the same centre" in found.sentence
    assert not looks_augmented(of(digits(1)), of(train))  # with the streams exchanged


@pytest.mark.thorough
@pytest.mark.parametrize(
    "shift",
    [lambda x: x - 0.2, lambda x: x * 0.6, lambda x: x[:, ::-1]],
    ids=["dark", "flat", "up"],
)
def test_a_shift_is_not_augmentation(shift):
    found = looks_augmented(of(shift(digits(0))), of(digits(1)))
    assert not found
    assert found.sentence == ""


@pytest.mark.thorough
def test_known_augmentation_explains_what_it_moves_by_nature():
    train = of(augmented(layers.RandomTranslation(0.1, 0.1, seed=0), digits(0)))
    found = looks_augmented(train, of(digits(1)), certain=True)
    assert {"object_x", "noise", "border_level"} <= set(found.expected)
    # But translation does not darken.
    dark = of(augmented(layers.RandomTranslation(0.1, 0.1, seed=0), digits(0)) - 0.2)
    assert "brightness" not in looks_augmented(dark, of(digits(1)), certain=True).expected


def test_what_has_no_attributes_is_never_augmented():
    columns = of(np.random.default_rng(0).standard_normal((300, 4)))
    assert not looks_augmented(columns, columns, certain=True)


@pytest.mark.parametrize(
    ("feature", "kind", "family", "effect", "question", "waits"),
    [
        ("input/noise", "covariate", "noise", 1.9, True, True),
        ("input/noise", "covariate", "noise", -2.1, True, False),
        ("input/border_level", "covariate", "other", 3.0, True, False),  # padding with black
        ("input/brightness", "covariate", "brightness", 0.6, False, True),
        ("input/brightness", "covariate", "brightness", -0.4, True, True),
        ("input", "covariate", "other", 1.0, True, True),
        ("input", "covariate", "other", 2.1, False, False),
        ("labels/concept", "concept", "concept", 1.0, True, False),
        ("labels/concept", "concept", "relabelled", 1.0, False, False),
        ("labels", "label", "label", 0.3, False, False),
        ("input", "preprocessing", "preprocessing", 1.0, False, False),
    ],
)
def test_what_may_be_augmentation(feature, kind, family, effect, question, waits):
    finding = Finding(
        feature, kind, family, effect, (effect, effect), 1e-6, "validation", "train", 1, "It is so"
    )
    assert (may_be(finding), is_small(finding)) == (question, waits)


@pytest.mark.parametrize(("effect", "question"), [(3.9, True), (-3.9, True), (4.1, False)])
def test_a_brightness_is_a_question_only_until_its_cost_may_be_known(effect, question):
    interval = (effect, effect)
    finding = Finding(
        *("input/brightness", "covariate", "brightness", effect, interval, 1e-6),
        *("validation", "train", 1, "It is so"),
    )
    assert may_be(finding, moves_light=True) == question and not may_be(finding)
