"""Two passes over (nearly) the same samples are distinguished from passes over other samples."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from keras import layers, ops

from keras_shiftguard import profile
from keras_shiftguard.detection.causes.same_samples import (
    are_near,
    chance_of_same_labels,
    is_augmented,
    randomised,
    same_samples,
)
from keras_shiftguard.profiles import LabelSummary

pytestmark = pytest.mark.backend  # backends round the sums of the same samples differently


@cache
def world(seed, n=300, shape=(6, 6, 3)):
    rng = np.random.default_rng(seed)
    smooth = rng.random((n, 3, 3, shape[-1])).repeat(2, 1).repeat(2, 2)
    x = smooth * 0.8 + 0.2 * rng.random((n, *shape))
    x[::10] = 0.7 + 1e-4 * x[::10]  # nearly flat: their deviation is mostly rounding error
    return x.astype("float32"), np.arange(n) % 5


def in_batches(x, y=None, seed=None, size=150):
    order = np.arange(len(x)) if seed is None else np.random.default_rng(seed).permutation(len(x))
    parts = [order[i : i + size] for i in range(0, len(x), size)]
    return profile((x[p], y[p]) if y is not None else x[p] for p in parts)


@pytest.mark.thorough
@pytest.mark.parametrize("scale", [1.0, 255.0, 1e-4])
def test_a_shuffled_pass_is_the_same(scale):
    x, y = world(0)
    x = ((x + 100) * scale).astype("float32")
    first, second = in_batches(x, y), in_batches(x, y, seed=3, size=50)
    assert same_samples(first, second)
    assert not randomised(first, second)


def test_another_draw_is_not_the_same():
    (x, y), (other, _) = world(0), world(1)
    assert not same_samples(in_batches(x * 255, y), in_batches(other * 255, y))
    # One different sample in fifty is detected.
    mixed = x.copy()
    mixed[1::50] = other[1::50]
    assert not same_samples(in_batches(x * 255, y), in_batches(mixed * 255, y))


@pytest.mark.parametrize(
    "augment",
    [
        layers.RandomFlip("horizontal", seed=0),
        layers.RandomBrightness(0.1, value_range=(0, 1), seed=0),
    ],
    ids=lambda layer: layer.name,
)
def test_augmented_passes_are_randomised(augment):
    x, y = world(0)
    first, second = (
        in_batches(ops.convert_to_numpy(augment(x, training=True)), y) for _ in range(2)
    )
    assert randomised(first, second)
    assert not same_samples(first, second)


@pytest.mark.parametrize("change", [lambda x: x * 255, lambda x: x + 0.2], ids=["raw", "lit"])
def test_a_permanent_change_is_not_randomised(change):
    x, y = world(0)
    first, second = in_batches(x, y), in_batches(change(x), y)
    assert not randomised(first, second)
    assert not same_samples(first, second)


def test_nothing_is_randomised_without_labels_or_with_one_class():
    (x, y), (other, _) = world(0), world(1)
    assert not randomised(in_batches(x), in_batches(other))
    zero = np.zeros_like(y)
    assert not randomised(in_batches(x, zero), in_batches(other, zero))
    assert not randomised(in_batches(x, y), in_batches(other, y[::-1] // 2))


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
    return profile((change(x[chosen], rng).astype("float32"), y[chosen]))


def mirrored(x, rng):
    return np.where(rng.random(len(x))[:, None, None, None] < 0.5, x[:, :, ::-1], x)


def test_a_few_samples_may_be_left_out(data):
    one, other = pass_over(data, 1), pass_over(data, 2)
    assert not same_samples(one, other)
    assert is_augmented(one, one) is None and is_augmented(one, replace(one)) is False
    assert is_augmented(one, other) is None
    assert is_augmented(one, pass_over(data, 2, mirrored))
    assert is_augmented(pass_over(data, 1, mirrored), pass_over(data, 2, mirrored))
    rng = np.random.default_rng(3)
    others = rng.random((1000, 12, 12, 1)), rng.integers(0, 5, 1000)
    assert not is_augmented(one, profile(others))
    assert not is_augmented(one, profile(data[0][:900]))


def test_shuffled_passes_that_drop_their_last_batch_are_near():
    """Each leaves out other samples, so they are never the same; augmented ones are further off."""
    x, y = world(0, n=1000)

    def dropped(images, seed):
        order = np.random.default_rng(seed).permutation(len(images))[: 31 * 32]
        return profile((images[order], y[order]))

    first = dropped(x, 0)
    seeds = range(1, 5)
    assert sum(are_near(first, dropped(x, seed)) for seed in seeds) >= 2
    assert not any(are_near(first, dropped(x * 0.97, seed)) for seed in seeds)


def test_the_chance_of_the_same_labels():
    """The formula agrees with a simulation of half a million random draws."""
    rng = np.random.default_rng(0)
    first = rng.hypergeometric(12, 8, 10, 500_000)
    labels = LabelSummary(10, 10, np.array([6, 4]))
    assert chance_of_same_labels(labels, 2) == pytest.approx((first == 6).mean(), rel=0.01)
    # Equal counts are less likely in three passes than in two, and likelier for dependent samples.
    assert chance_of_same_labels(labels, 3) < chance_of_same_labels(labels, 2)
    assert chance_of_same_labels(labels, 2, 0.5) > chance_of_same_labels(labels, 2)
