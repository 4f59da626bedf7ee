"""Faults that are told at the end of a fit: two at once, or one that no statistic shows."""

import keras
import numpy as np
import pytest
from small_fits import dense, digits, watched

from keras_shiftguard.callback import spending


@pytest.fixture(autouse=True)
def no_time_before_the_end(monkeypatch):
    """As in a short fit, in which experiments are made after the last epoch only."""
    monkeypatch.setattr(spending, "MAX_SHARE", 0.0)


def fitted(x, y, validation, epochs=8, callbacks=(), classes=10):
    model = dense(x.shape[1:], classes, 64, rate=0.005)
    return watched(model, (x, y), validation, epochs, {"callbacks": callbacks})


@pytest.mark.backend
def test_exchanged_labels_are_told_beside_images_that_are_upside_down():
    x, y = digits()
    labels = np.where(y == 0, 7, np.where(y == 7, 0, y))
    guard = fitted(x[:1000], y[:1000], (x[1000:1500, ::-1].copy(), labels[1000:1500]))
    alarms = {finding.feature: finding for finding in guard.report.findings if finding.matters}
    of_labels = alarms.pop("labels")
    assert "upside down" in str(guard.verdict) and alarms
    assert "labels 0 and 7 of validation are exchanged" in str(guard.verdict)
    exchanged = np.isin(labels[1000:1500], (0, 7)).mean()
    low, high = of_labels.cost_interval
    assert low - 0.02 <= exchanged <= high + 0.02  # shared with the images, see `Search._parts`


@pytest.mark.backend
def test_a_fit_that_is_stopped_early_has_its_experiment():
    x = np.random.default_rng(0).normal(size=(1600, 8)).astype("float32")
    y = (x[:, 0] > 2 * x[:, 1]).astype("int64") + (x[:, 2] > 1)
    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1, start_from_epoch=4)
    guard = fitted(x[:1000], y[:1000], (x[1000:, ::-1].copy(), y[1000:]), 60, [stop], 3)
    assert 4 < len(guard.model.history.epoch) < 10
    assert guard.verdict.state == "act" and "in reverse order" in guard.verdict.cause


@pytest.mark.backend
def test_a_split_of_samples_that_are_sorted_by_class_is_an_alarm():
    x, y = digits()
    order = np.argsort(y, kind="stable")
    x, y = x[order].reshape(-1, 64), y[order]
    guard = fitted(x[:1437], y[:1437], (x[1437:], y[1437:]))
    assert guard.verdict.state == "act"
    assert guard.verdict.cause == "Validation has classes that training lacks: 8, 9."
    assert guard.verdict.cost > 0.9 and "stratify=y" in guard.verdict.step


@pytest.mark.backend
def test_classes_that_validation_counts_from_one_are_told_not_turned_images():
    x, y = digits()
    guard = fitted(x[:1000], y[:1000], (x[1000:1500], y[1000:1500] + 1), classes=11)
    assert "lass ids of validation are higher by 1" in guard.verdict.cause
    low, high = guard.verdict.cost_interval
    assert low < 0.95 < high + 0.05 and "class_names" in guard.verdict.step


@pytest.mark.backend
def test_pixels_in_another_order_are_neither_wrong_labels_nor_other_units():
    """Some labels would win back a part, and so would a map for each column."""
    x, y = digits()
    other = x[1000:].transpose(0, 2, 1, 3).reshape(-1, 64)  # flattened column by column
    guard = fitted(x[:1000].reshape(-1, 64), y[:1000], (other, y[1000:]))
    assert guard.verdict.state != "act"


@pytest.mark.backend
def test_two_inputs_that_are_exchanged_are_told_with_their_line():
    random = np.random.default_rng(0)

    def draw(number):
        user, item = random.normal(0, 1, (number, 4)), random.normal(0.3, 0.8, (number, 4))
        labels = user @ [1, 2, -1, 0.5] - item @ [0.5, 1, 1, -2] > 0
        tables = {"user": user.astype("float32"), "item": item.astype("float32")}
        return tables, labels.astype("int64")

    (x, y), (validation, labels) = draw(1500), draw(600)
    validation = {**validation, "user": validation["item"], "item": validation["user"]}
    inputs = {name: keras.Input((4,), name=name) for name in ("user", "item")}
    hidden = keras.layers.Dense(32, "relu")(keras.layers.Concatenate()(list(inputs.values())))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(hidden))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    guard = watched(model, (x, y), (validation, labels), 8)
    verdict = guard.verdict
    assert "are exchanged with those of input" in verdict.cause
    assert 'x_val["item"]' in verdict.step and 'x_val["user"]' in verdict.step
    finding = max(guard.report.findings, key=lambda finding: finding.cost or 0)
    assert finding.cost > 0.3 and finding.repair is None
