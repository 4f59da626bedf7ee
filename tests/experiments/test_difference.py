"""What the difference of validation from training costs, on models whose behavior is known."""

import numpy as np
import pytest

from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.statistics.batch import InputSpec

IMAGES = InputSpec("input", "channels_last", 1, (16, 16))
TOLERANCE = 0.01


def one_hot(classes):
    return np.eye(2)[np.asarray(classes, int)]


def images(seed, number=400, level=0.5):
    """Returns images of two classes: a bright left, or a bright right half."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    x = 0.1 + 0.05 * rng.random((number, 16, 16, 1))
    x[:, :, :8] += level * (labels == 0)[:, None, None, None]
    x[:, :, 8:] += level * (labels == 1)[:, None, None, None]
    return Labelled(x.astype("float32"), labels)


def brighter_side(x):
    """Right for all images, but sees nothing in dark ones."""
    left, right = x[:, :, :8].mean(axis=(1, 2, 3)), x[:, :, 8:].mean(axis=(1, 2, 3))
    return one_hot((right > left) & (right > 0.3))


@pytest.mark.backend
def test_a_repair_is_found_named_and_priced():
    training, validation = images(0), images(1)
    mirrored = Labelled(validation.images[:, :, ::-1].copy(), validation.labels)
    found = cost_of_difference(brighter_side, mirrored, training, IMAGES, TOLERANCE)
    assert found.how in ("mirrored left to right", "turned by half") and found.cost.value > 0.95
    dark = Labelled(validation.images / 3, validation.labels)
    found = cost_of_difference(brighter_side, dark, training, IMAGES, TOLERANCE)
    lost = (validation.labels == 1).mean()
    assert found.cost.interval[0] <= lost <= found.cost.interval[1]
    assert found.family == "light" and found.cost.is_alarm(TOLERANCE)


@pytest.mark.parametrize(("added", "how"), [(100, "overflowed as 8-bit numbers"), (60, "")])
def test_an_overflow_is_told_from_more_light(added, how):
    is_inside = np.pad(np.ones((11, 11), bool), (2, 3))[..., None]

    def made(seed):
        """Images whose inner part is brighter, or whose outer part is."""
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 400)
        levels = 20 + 140 * (is_inside == (labels == 0)[:, None, None, None])
        levels += rng.integers(0, 20, levels.shape)
        levels[:, 0, :2] = [[0], [255]]  # black and white
        return levels, labels

    def sees(x):
        """Knows images with the levels of training, and takes all others for class 0."""
        bright = [is_inside, ~is_inside]
        far = [np.abs(255 * x - np.where(each, 170, 30)).mean((1, 2, 3)) for each in bright]
        return one_hot((far[1] < far[0]) & (far[1] < 40))

    def fed(pixels, labels):
        return Labelled((pixels / 255).astype("float32"), labels)

    training, (pixels, labels) = fed(*made(0)), made(1)
    changed = (pixels + added) % 256 if how else (pixels + added).clip(max=255)
    found = cost_of_difference(sees, fed(changed, labels), training, IMAGES, TOLERANCE)
    assert found.cost.is_alarm(TOLERANCE) and found.how.startswith(how), found
    assert (found.family == "overflow") == bool(how)


@pytest.mark.parametrize("broken", [0, 3])
def test_nothing_is_promised_where_nothing_is_wrong_but_some_nan(broken):
    current = images(1)
    current.images[:broken] = np.nan
    found = cost_of_difference(brighter_side, current, images(0), IMAGES, TOLERANCE)
    assert not found.cost.is_alarm(TOLERANCE) and not found.cost.unexplained


def test_what_helps_training_as_well_is_no_fault_of_validation():
    """The model is right on bright images only, whichever they are."""

    def likes_light(x):
        labels = brighter_side(x).argmax(axis=1)
        return one_hot(np.where(x.max(axis=(1, 2, 3)) > 0.9, labels, 0))

    both = images(0), images(1)
    found = cost_of_difference(likes_light, both[1], both[0], IMAGES, TOLERANCE)
    assert not found.cost.is_alarm(TOLERANCE)
    alone = cost_of_difference(likes_light, both[1], None, IMAGES, TOLERANCE)
    assert alone.cost.is_alarm(TOLERANCE)


def test_a_loss_without_a_repair_is_a_question():
    """Half of the labels of validation are wrong, which no operation on images undoes."""
    training, validation = images(0), images(1)
    wrong = np.where(np.arange(400) % 2, validation.labels, 1 - validation.labels)
    half = Labelled(validation.images, wrong)
    found = cost_of_difference(brighter_side, half, training, IMAGES, TOLERANCE)
    assert not found.cost.is_alarm(TOLERANCE) and not found.cost.is_harmless(TOLERANCE)
    assert found.cost.unexplained == pytest.approx(0.5, abs=0.1)


def test_few_samples_and_texts_have_no_experiment():
    few = images(1).first(90)
    found = cost_of_difference(brighter_side, few, images(0), IMAGES, TOLERANCE)
    assert found.cost.is_hidden
    text = Labelled(np.arange(4000).reshape(400, 10), np.arange(400) % 2)
    spec = InputSpec("input", "features", 10, tokens=True)
    found = cost_of_difference(lambda x: one_hot(x[:, 0] % 2), text, text, spec, TOLERANCE)
    assert found.cost.is_untried and not found.cost.is_harmless(TOLERANCE)


def slopes(seed, number=400):
    """Returns ramps that rise to the right, from a random place on, and twice as much noise."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(number) < 0.3).astype("int64")
    ramps = (np.arange(16) + rng.integers(0, 6, (number, 1))) % 6 / 6
    rows = np.where(labels[:, None], ramps, rng.random((number, 16)))
    return Labelled(np.repeat(rows[:, None, :, None], 16, axis=1).astype("float32"), labels)


def rises(x):
    """Right for all images: most steps of a ramp go up."""
    return one_hot((np.diff(x[:, 0, :, 0], axis=1) > 0.1).mean(axis=1) > 0.75)


@pytest.mark.backend
def test_a_repair_that_leaves_what_differs_is_no_cause_unless_the_model_fails():
    """The ramps of validation are from other scenes; mirrored, they are like those of training."""
    training, validation = slopes(0), slopes(1)

    def found_for(x, labels):
        current = Labelled(x[:, :, ::-1].copy(), labels)
        return cost_of_difference(rises, current, training, IMAGES, TOLERANCE)

    found = found_for(validation.images, validation.labels)
    assert not found.how and not found.cost.is_costly(TOLERANCE) and found.cost.repair is None
    ramps = np.flatnonzero(validation.labels)
    found = found_for(validation.images[ramps], validation.labels[ramps])
    assert found.how in ("mirrored left to right", "turned by half") and found.cost.value > 0.9
