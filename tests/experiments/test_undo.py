"""Undo: what is promised on some samples is kept on others; nothing is promised for nothing."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import small_fits
from scipy import ndimage
from sklearn.datasets import load_breast_cancer
from small_fits import compiled, dense

from keras_shiftguard.experiments.candidates import image_candidates
from keras_shiftguard.experiments.difference import cost_of_difference
from keras_shiftguard.experiments.judge import Accuracy, Loss
from keras_shiftguard.experiments.labelled import Labelled
from keras_shiftguard.experiments.table_candidates import _exchanges, table_candidates
from keras_shiftguard.experiments.undo import undo
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import InputSpec

TOLERANCE = 0.01


def fitted(model, x, y, epochs, batch_size):
    """Fits a model; returns its predictions for samples as a function."""
    keras.utils.set_random_seed(0)
    model.fit(x, y, batch_size, epochs, verbose=0)
    return lambda x: keras.ops.convert_to_numpy(model.predict_on_batch(x))


@pytest.fixture(scope="module")
def digits():
    """A classifier of digits with values in [0, 1], validation, and other digits."""
    x, y = small_fits.digits(16)
    x = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))
    keras.utils.set_random_seed(0)
    model = dense((24, 24, 1), hidden=64, rate=3e-3)
    predict = fitted(model, x[:1000], y[:1000], epochs=15, batch_size=100)
    return predict, (x[1000:1400], y[1000:1400]), (x[1400:], y[1400:])


CHANGES = {
    "gain": lambda x: x / 4,
    "shift_left": lambda x: np.roll(x, 3, 2),
    "shift_down": lambda x: np.roll(x, -3, 1),
    "rotation": lambda x: ndimage.rotate(x, 25, (1, 2), reshape=False, order=1),
    "flip_horizontal": lambda x: x[:, :, ::-1],
    "flip_vertical": lambda x: x[:, ::-1],
    "transpose": lambda x: x.transpose(0, 2, 1, 3),
    "invert": lambda x: 1 - x,
    "scale": lambda x: x / 255,
}
LIGHT = {"gain", "stretch", "scale", "brighter", "gamma_down", "more_contrast"}


@pytest.mark.backend
@pytest.mark.parametrize("name", CHANGES)
def test_a_promise_names_what_undoes_the_change_and_is_kept_elsewhere(digits, name):
    predict, (x, y), (others, their_labels) = digits
    change = CHANGES[name]
    candidates = image_candidates(Scale.of(x))
    promise = undo(predict, change(x).astype("float32"), y, candidates, Accuracy())
    before = (predict(change(others).astype("float32")).argmax(1) == their_labels).mean()
    lost = (predict(others).argmax(1) == their_labels).mean() - before
    if lost < 0.02:  # this network does not mind
        assert not promise.is_alarm(TOLERANCE)
        return
    assert promise.is_alarm(TOLERANCE) and promise.metric == "accuracy"
    right = LIGHT if name in LIGHT else {name}
    assert all(half[0].name in right for half in promise.choices)
    by_choice = {candidate.choice: candidate for candidate in candidates}
    (choice,) = promise.choices[0]
    repaired = by_choice[choice].apply(change(others).astype("float32"))
    gained = (predict(repaired).argmax(1) == their_labels).mean() - before
    assert gained > promise.interval[0] - 0.03  # the other digits are a sample as well


def test_nothing_is_promised_where_nothing_was_changed(digits):
    predict, (x, y), _ = digits
    for seed in range(3):
        promise = undo(predict, x, y, image_candidates(Scale.of(x)), Accuracy(), seed=seed)
        assert not promise.is_alarm(TOLERANCE) and promise.at_most < 0.03


def test_halves_that_disagree_promise_nothing(digits):
    predict, (x, y), _ = digits
    half = np.arange(len(x)) % 2 == 0
    mixed = np.where(half[:, None, None, None], x, 0).astype("float32")  # a broken half
    promise = undo(predict, mixed, y, image_candidates(Scale.of(x)), Accuracy())
    assert not promise.is_alarm(0.1)


def test_what_changes_nothing_is_never_chosen(digits):
    """Rounding makes it a little likelier in one of two halves."""
    predict, (x, y), _ = digits
    (flip,) = image_candidates(Scale.of(x), ["flip_horizontal"])
    same = [replace(flip, apply=lambda x, up=up: x * np.float32(1 + up)) for up in (1e-7, -1e-7)]
    for seed in range(3):
        assert undo(predict, x, y, same, Accuracy(), seed=seed).choices == ((), ())


def test_two_changes_are_undone_one_after_the_other(digits):
    predict, (x, y), _ = digits
    changed = (np.roll(x, 3, 2) / 255).astype("float32")
    candidates = image_candidates(Scale.of(x))
    one, two = (undo(predict, changed, y, candidates, Accuracy(), most=n) for n in (1, 2))
    assert two.gain > one.gain + 0.05
    assert {choice.family for choice in two.choices[0]} == {"light", "geometry"}


def test_a_family_that_is_used_leaves_nothing_to_try(digits):
    predict, (x, y), _ = digits
    light = [c for c in image_candidates(Scale.of(x)) if c.choice.family == "light"]
    promise = undo(predict, x / 4, y, light, Accuracy(), most=2)
    assert [len(chain) for chain in promise.choices] == [1, 1]


def test_a_second_change_is_told_if_the_first_one_does_not_explain_the_loss(digits):
    predict, (x, y), (others, labels) = digits
    training, spec = Labelled(others, labels), InputSpec("input", "channels_last", 1, x.shape[1:3])
    found = {}
    for name, changed in {
        "moved": np.roll(x, 3, 2),
        "mirrored and darker": 0.3 * x[:, :, ::-1],
        "moved and scaled": np.roll(x, 3, 2) / 255,
    }.items():
        current = Labelled(changed.astype("float32"), y)
        found[name] = cost_of_difference(predict, current, training, spec, TOLERANCE)
    assert " and " not in found["moved"].how
    two = found["moved and scaled"]
    assert " and " in two.how and "moved" in two.how
    assert two.cost.interval[0] > 0.5
    assert len(two.cost.repair["operations"]) == 2


def test_outputs_that_are_not_finite_are_wrong_and_end_nothing(digits):
    _, (x, y), _ = digits
    broken = lambda x: np.full((len(x), 10), np.nan)  # noqa: E731
    promise = undo(broken, x, y, image_candidates(Scale.of(x)), Accuracy())
    assert promise.gain == 0 and not promise.is_alarm(TOLERANCE)


@pytest.fixture(scope="module")
def biopsies():
    """A classifier of rows in their own units, behind a normalization; training; validation."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order].astype("float32"), y[order]
    keras.utils.set_random_seed(0)
    known = keras.layers.Normalization()
    known.adapt(x[:300])
    hidden, last = keras.layers.Dense(16, "relu"), keras.layers.Dense(2, "softmax")
    model = compiled((30,), known, hidden, last)
    predict = fitted(model, x[:300], y[:300], epochs=20, batch_size=32)
    return predict, x[:300], (x[300:], y[300:])


def test_a_unit_and_an_exchange_of_columns_are_named(biopsies):
    predict, training, (x, y) = biopsies
    scaled = x.copy()
    scaled[:, 23] *= 25.4
    exchanged = x[:, [*range(20), 23, 21, 22, 20, *range(24, 30)]]
    for changed, names in ((scaled, {"unit", "units"}), (exchanged, {"exchange", "units"})):
        promise = undo(predict, changed, y, table_candidates(changed, training), Accuracy())
        assert {half[0].name for half in promise.choices} <= names
    promise = undo(predict, x[:, ::-1], y, table_candidates(x[:, ::-1], training), Accuracy())
    assert promise.is_alarm(TOLERANCE)
    assert {half[0].name for half in promise.choices} <= {"reverse", "units"}
    assert not undo(predict, x, y, table_candidates(x, training), Accuracy()).is_alarm(TOLERANCE)


def test_a_loss_is_promised_as_a_share_of_its_value():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)).astype("float32")
    target = x @ np.array([1.0, 2.0, 3.0])
    celsius = x.copy()
    celsius[:, 1] = 1.8 * celsius[:, 1] + 32
    squared = Loss(lambda outputs, labels: (outputs - labels) ** 2, "mse")
    candidates = table_candidates(celsius, x)
    promise = undo(lambda x: x @ np.array([1.0, 2.0, 3.0]), celsius, target, candidates, squared)
    assert promise.is_alarm(TOLERANCE) and promise.metric == "mse" and promise.gain > 0.99


def test_a_column_is_in_another_unit_only_if_it_moved():
    """Else a stretch by chance, of a column far from 0, was told as a move by a large number."""
    rng = np.random.default_rng(0)
    training, x = (rng.normal((11, 1013), (4, 4), size=(300, 2)) for _ in range(2))

    def units(rows):
        found = [each.choice for each in table_candidates(rows, training)]
        units = [each.strength for each in found if each.name == "unit"]
        return [column for column, factor, _ in units if factor != -1]  # other signs are free

    assert not units(x)
    assert set(units(x * [1.8, 1] + [32, 0])) == {0} and set(units(x + [0, 4])) == {1}


def test_columns_with_another_sign_are_not_plainly_exchanged():
    """Any column that the model does not use would be better in their place."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        training, x = rng.normal(size=(1500, 30)), rng.normal(size=(1000, 30))
        x[:, :5] = 0.5 - x[:, :5]
        assert not any(is_plain for _, is_plain in _exchanges(x, training))
        moved = training + np.linspace(-3, 3, 30)
        exchanged = moved[:1000].copy()
        exchanged[:, [4, 9]] = exchanged[:, [9, 4]]
        assert _exchanges(exchanged, moved)[0] == ((4, 9), True)


def test_an_exchange_is_found_among_all_pairs_of_a_wide_table():
    """Flattened images have hundreds of thousands of pairs of columns."""
    rows = np.random.default_rng(0).normal(size=(400, 1200))
    mixed = rows @ np.random.default_rng(1).normal(size=(1200, 1200))
    exchanged = mixed[200:].copy()
    exchanged[:, [3, 700]] = exchanged[:, [700, 3]]
    found = [each.choice.strength for each in table_candidates(exchanged, mixed[:200])]
    assert (3, 700) in found
