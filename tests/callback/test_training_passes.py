"""What the passes over training show: unchanged, augmented or mixed samples."""

import numpy as np
import pytest
from one_pass import stream_of
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.callback.training_passes import TrainingPasses


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16).reshape(-1, 8, 8, 1).astype("float32")[:600], y[:600].astype("int32")


def noisy(x, seed):
    return x + np.random.default_rng(seed).normal(0, 0.2, x.shape).astype("float32")


def test_the_first_pass_shows_no_augmentation(digits):
    passes, first = TrainingPasses(), sg.profile(digits)
    passes.look(first, first)
    assert passes.is_first_visit
    assert not passes.is_redrawn and not passes.is_unaugmented


def test_the_same_samples_again_are_unaugmented(digits):
    passes, first = TrainingPasses(), sg.profile(digits)
    passes.look(first, first)
    order = np.random.default_rng(0).permutation(len(digits[0]))
    passes.look(first, sg.profile((digits[0][order], digits[1][order])))
    assert passes.is_unaugmented and not passes.is_first_visit and not passes.is_redrawn


def test_changed_samples_with_the_same_labels_are_augmented(digits):
    x, y = digits
    passes = TrainingPasses()
    first, second = (sg.profile((noisy(x, seed), y)) for seed in (1, 2))
    passes.look(first, first)
    plain = sg.profile(digits)
    before, _ = passes.expected(first, plain)
    passes.look(first, second)
    assert passes.is_augmented and passes.is_redrawn and not passes.is_unaugmented
    features, sentence = passes.expected(second, plain)
    assert "input/noise" in features and features >= before and sentence


def test_one_near_pass_does_not_show_that_training_is_unaugmented():
    """The crops of small images may differ by chance as little as passes that leave out samples."""
    passes = TrainingPasses()
    for errors, unaugmented in ((1.0, False), (2.0, True), (3.0, False), (1.0, False), (0.5, True)):
        passes._compare(errors, errors)
        assert passes.is_unaugmented == unaugmented
    for errors in (4.5, 1.0, 1.0):  # one pass that surely differs outweighs the others
        passes._compare(errors, errors)
        assert not passes.is_unaugmented
    passes._compare(0.0, 0.0)
    assert passes.is_unaugmented
    other = TrainingPasses()
    other._compare(np.inf, np.inf)  # passes that cannot be compared prove nothing
    assert not other.was_redrawn and not other.is_unaugmented


def test_mixtures_of_labels_are_no_first_visit(digits):
    x, y = digits
    hot = np.eye(10, dtype="float32")[y]
    mixed = sg.profile((x, 0.7 * hot + 0.3 * hot[::-1]))
    passes = TrainingPasses()
    passes.look(mixed, mixed)
    assert not passes.is_first_visit and passes.is_augmented and passes.has_soft_labels


def test_the_state_is_restored(digits):
    passes, first = TrainingPasses(), sg.profile(digits)
    passes.look(first, first)
    x, y = digits
    for level in (0.0, 0.1):  # the second pass has other samples with the same labels
        passes.look_at_samples(stream_of((x + level).astype("float32"), y), first.labels)
    assert passes.was_redrawn
    again = TrainingPasses()
    again.restore(passes.state())
    assert again.state() == passes.state() and again.is_redrawn
    again.restore({})  # of an earlier release
    assert again.state() == passes.state()
