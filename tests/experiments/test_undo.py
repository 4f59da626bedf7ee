"""Undo: what is promised on some samples is kept on others; nothing is promised for nothing."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import small_fits
from scipy import ndimage

from keras_shiftguard.experiments.candidates.candidates import image_candidates
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.judge import Accuracy
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.undo import undo
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import InputSpec

TOLERANCE = 0.01


@pytest.fixture(scope="module")
def digits():
    """A classifier of digits with values in [0, 1], validation, and other digits."""
    x, y = small_fits.digits(16)
    x = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))
    keras.utils.set_random_seed(0)
    model = small_fits.dense((24, 24, 1), hidden=64, rate=3e-3)
    model.fit(x[:1000], y[:1000], 100, 15, verbose=0)

    def predict(x):
        return keras.ops.convert_to_numpy(model.predict_on_batch(x))

    return predict, (x[1000:1400], y[1000:1400]), (x[1400:], y[1400:])


CHANGES = {
    "gain": lambda x: x / 4,
    "shift_left": lambda x: np.roll(x, 3, 2),
    "rotation": lambda x: ndimage.rotate(x, 25, (1, 2), reshape=False, order=1),
    "flip_horizontal": lambda x: x[:, :, ::-1],
    "transpose": lambda x: x.transpose(0, 2, 1, 3),
    "invert": lambda x: 1 - x,
    "scale": lambda x: x / 255,
}
LIGHT = {"gain", "stretch", "scale", "brighter", "gamma_down", "more_contrast"}


@pytest.mark.backend
@pytest.mark.parametrize("name", CHANGES)
def test_a_promise_names_what_undoes_the_change_and_is_kept_elsewhere(digits, name):
    predict, (x, y), (others, their_labels) = digits
    bad, bad_others = (CHANGES[name](each).astype("float32") for each in (x, others))
    candidates = image_candidates(Scale.of(x))
    promise = undo(predict, bad, y, candidates, Accuracy())

    def accuracy(x):
        return (predict(x).argmax(1) == their_labels).mean()

    if accuracy(others) - accuracy(bad_others) < 0.02:  # this network does not mind
        assert not promise.is_alarm(TOLERANCE)
        return
    assert promise.is_alarm(TOLERANCE) and promise.cost.metric == "accuracy"
    right = LIGHT if name in LIGHT else {name}
    assert all(half[0].name in right for half in promise.choices)
    (choice,) = promise.choices[0]
    (repair,) = (each.apply for each in candidates if each.choice == choice)
    gained = accuracy(repair(bad_others)) - accuracy(bad_others)
    # The other digits are a sample as well.
    assert gained > promise.cost.interval[0] - 0.03


def test_nothing_is_promised_where_no_operation_is_right(digits):
    predict, (x, y), _ = digits
    candidates = image_candidates(Scale.of(x))
    is_broken = np.arange(len(x))[:, None, None, None] % 2 > 0
    for number, of in enumerate((x, np.where(is_broken, 0, x).astype("float32"))):
        promise = undo(predict, of, y, candidates, Accuracy())
        assert not promise.is_alarm(0.1 if number else TOLERANCE)
    # Outputs that are not finite are wrong, and end nothing.
    broken = undo(lambda x: np.full((len(x), 10), np.nan), x, y, candidates, Accuracy())
    assert broken.cost.value == 0 and not broken.is_alarm(TOLERANCE)


def test_what_changes_nothing_is_never_chosen(digits):
    """Rounding makes it a little likelier in one of two halves."""
    predict, (x, y), _ = digits
    (flip,) = image_candidates(Scale.of(x), ["flip_horizontal"])
    same = [replace(flip, apply=lambda x, up=up: x * np.float32(1 + up)) for up in (1e-7, -1e-7)]
    for seed in range(3):
        assert undo(predict, x, y, same, Accuracy(), seed=seed).choices == ((), ())


def test_a_family_that_is_used_leaves_nothing_to_try(digits):
    predict, (x, y), _ = digits
    light = [c for c in image_candidates(Scale.of(x)) if c.choice.family == "light"]
    promise = undo(predict, x / 4, y, light, Accuracy(), most=2)
    assert [len(chain) for chain in promise.choices] == [1, 1]


def test_a_second_change_is_told_if_the_first_one_does_not_explain_the_loss(digits):
    predict, (x, y), (others, labels) = digits
    training, spec = Labelled(others, labels), InputSpec("input", "channels_last", 1, x.shape[1:3])

    def found_for(x):
        current = Labelled(x.astype("float32"), y)
        return cost_of_difference(predict, current, training, spec, TOLERANCE)

    moved = np.roll(x, 3, 2)
    assert " and " not in found_for(moved).how
    two = found_for(moved / 255)
    assert " and " in two.how and "moved" in two.how
    assert two.cost.interval[0] > 0.5
    assert len(two.cost.repair["operations"]) == 2


def test_likelier_labels_make_a_cost_on_few_samples_sure(digits):
    """On 160 samples, too few predictions become right for more than a chance."""
    predict, (x, y), _ = digits
    some, labels = x[160:320], y[160:320]
    candidates = image_candidates(Scale.of(x))
    bright = np.clip(some + 0.2, 0, 1).astype("float32")
    cost = undo(predict, bright, labels, candidates, Accuracy()).cost
    assert cost.is_costly(TOLERANCE) and cost.sigmas < 3 and cost.is_sure
    assert not undo(predict, some, labels, candidates, Accuracy()).cost.is_sure
    # That labels become likelier is no cost: few predictions change.
    half = undo(predict, some / 2, labels, candidates, Accuracy()).cost
    assert half.likelier > 3 and not half.is_costly(TOLERANCE)
