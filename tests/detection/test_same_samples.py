"""Passes over the same samples: all of them, all but a few, or with augmentation drawn anew."""

import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.detection.causes.augmented import is_small, may_be
from keras_shiftguard.detection.causes.same_samples import nearly_same, redrawn, same_samples
from keras_shiftguard.detection.finding import Finding


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    shapes = rng.random((1008, 4, 4, 1)).repeat(3, axis=1).repeat(3, axis=2)
    return shapes + 0.1 * rng.random((1008, 12, 12, 1)), rng.integers(0, 5, 1008)


def pass_over(data, seed, change=lambda x, rng: x):
    """Returns the profile of a shuffled pass that leaves out the last eight samples."""
    x, y = data
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(x))[:1000]
    return sg.profile((change(x[chosen], rng).astype("float32"), y[chosen]))


def mirrored(x, rng):
    return np.where(rng.random(len(x))[:, None, None, None] < 0.5, x[:, :, ::-1], x)


def one_gain_for_a_batch(x, rng):
    return x * rng.uniform(0.9, 1.1, len(x) // 100).repeat(100)[:, None, None, None]


@pytest.mark.thorough
def test_a_few_samples_may_be_left_out(data):
    one, other = pass_over(data, 1), pass_over(data, 2)
    assert not same_samples(one, other) and nearly_same(one, other)
    assert nearly_same(one, one)
    assert not nearly_same(one, pass_over(data, 2, mirrored))
    assert not nearly_same(pass_over(data, 1, mirrored), pass_over(data, 2, mirrored))
    rng = np.random.default_rng(3)
    others = rng.random((1000, 12, 12, 1)), rng.integers(0, 5, 1000)
    assert not nearly_same(one, sg.profile(others))
    assert not nearly_same(one, sg.profile(data[0][:900]))


def test_augmentation_that_is_drawn_for_a_whole_batch(data):
    one, other = (pass_over(data, seed, one_gain_for_a_batch) for seed in (1, 2))
    assert "input/brightness" in redrawn(one, other) and "input" in redrawn(one, other)
    darker = pass_over(data, 2, lambda x, rng: x * 0.7)
    assert "input/brightness" not in redrawn(one, darker)
    assert redrawn(one, one) == ()
    x, y = data
    assert redrawn(one, sg.profile((x[:1000], (y[:1000] > 2).astype(int)))) == ()
    assert redrawn(sg.profile(x), sg.profile(x[::-1] * 0.99)) == ()


@pytest.mark.parametrize(
    ("feature", "kind", "family", "effect", "question", "waits"),
    [
        ("input/noise", "covariate", "noise", 1.9, True, True),
        ("input/noise", "covariate", "noise", -2.1, False, False),
        ("input/border_level", "covariate", "other", 3.0, True, False),  # padding with black
        ("input/brightness", "covariate", "brightness", 0.6, False, True),
        ("input/brightness", "covariate", "brightness", -0.4, True, True),
        ("input", "covariate", "other", 1.0, True, True),
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
