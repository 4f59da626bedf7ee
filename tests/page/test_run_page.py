"""The page that the guard writes: after each epoch, before a crash, and in a resumed fit."""

import json
import warnings

import keras
import numpy as np
import pytest
from log.test_resume import data, fit, quiet
from shift_tab_log import streams

import keras_shiftguard as sg
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.log.epoch_history import EpochHistory
from keras_shiftguard.log.run_page import RunPage
from keras_shiftguard_cli import main
from tensorboard_plugin_shiftguard.metadata import ALARM, REPORTED

pytestmark = pytest.mark.eager


def parts_of(log_dir, name="shift"):
    assert (log_dir / f"{name}.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not list(log_dir.glob(".*.tmp"))
    return json.loads((log_dir / f"{name}.json").read_text(encoding="utf-8"))


def darker(epoch):
    return 0.5 if epoch else 1.0


@pytest.mark.thorough
@pytest.mark.backend
def test_each_epoch_is_in_the_page_and_a_resumed_fit_goes_on(tmp_path):
    fit(quiet(tmp_path, tolerance=None), 0, 2, darker)
    guard = fit(quiet(tmp_path, tolerance=None), 2, 3, darker)
    parts = parts_of(tmp_path)
    assert parts["epochs"]["numbers"] == [1, 2, 3]
    assert {"loss", "val_loss", "shift", "val_shift"} <= parts["epochs"]["logs"].keys()
    assert len(parts["epochs"]["logs"]["val_loss"]) == 3
    assert parts["report"]["headline"] == guard.report.to_dict()["headline"]
    brightness = next(
        each
        for each in parts["epochs"]["features"]
        if each["feature"] == "input/brightness" and each["against"] == "train"
    )
    first, *later = zip(brightness["mean"], brightness["against_mean"], strict=True)
    assert first == (None, None)  # not found then, so not in the page of the first fit
    assert [mean / other for mean, other in later] == pytest.approx([0.5, 0.5], rel=1e-3)
    assert main(["report", str(tmp_path)]) == 1  # writes the page again, without the guard


def test_what_was_found_later_is_shown_from_the_first_epoch_on(rng):
    history, monitor = EpochHistory(), ShiftMonitor(0.05, [("validation", "train")])
    for epoch, shift in enumerate((0.0, 0.0, 2.0), 1):
        now = streams(rng, shift)
        monitor.compare("validation", "train", now["validation"], now["train"], epoch)
        history.add(epoch, {}, monitor.pairs)
    [finding] = monitor.report().findings
    assert finding.since == 3
    [feature] = history.part([finding])["features"]
    assert [round(value) for value in feature["mean"]] == [0, 0, 2]
    assert [abs(value) < 0.3 for value in feature["effect"]] == [True, True, False]
    assert [int(value) for value in feature["flags"]] == [0, 0, ALARM | REPORTED]
    assert feature["cost"] == [None] * 3


def test_a_crashed_fit_leaves_the_page_of_its_last_look(tmp_path):
    def crash(epoch, logs):
        if epoch == 2:
            raise MemoryError("the user's own")

    model = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(4))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = quiet(tmp_path, tolerance=None)
    callbacks = [guard, keras.callbacks.LambdaCallback(on_epoch_begin=crash)]
    with pytest.raises(MemoryError):
        model.fit(*data(), validation_data=data(0.5), epochs=4, callbacks=callbacks, verbose=0)
    guard.detach()  # closes the log, as the end of the process would
    parts = parts_of(tmp_path)
    assert parts["epochs"]["numbers"] == [1, 2] and parts["report"]["shifted"]


def test_the_page_is_there_when_the_guard_itself_ends_the_fit(tmp_path):
    with pytest.raises(sg.PreprocessingMismatchError):
        fit(
            sg.ShiftGuard(log_dir=tmp_path / "one", expects="tf", on_mismatch="raise"), 0, 1, darker
        )
    assert parts_of(tmp_path / "one")["diagnosis"]["train"]["status"] == "mismatch"
    with pytest.raises(sg.ShiftDetectedError):
        guard = sg.ShiftGuard(log_dir=tmp_path / "two", on_shift="raise", tolerance=None)
        fit(guard, 0, 1, lambda epoch: 0.5)
    assert parts_of(tmp_path / "two")["report"]["shifted"]


@pytest.mark.thorough
def test_an_evaluation_leaves_the_page_of_the_fit(tmp_path):
    guard = fit(quiet(tmp_path), 0, 1, darker)
    before = (tmp_path / "shift.html").read_bytes()
    guard.model.evaluate(*data(), callbacks=[guard], verbose=0)
    assert (tmp_path / "shift.html").read_bytes() == before
    assert "epochs" not in parts_of(tmp_path, "shift-evaluation")


def test_a_failure_of_the_page_is_one_warning_and_the_log_goes_on(tmp_path, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("keras_shiftguard_page.page", broken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", sg.ShiftWarning)
        fit(quiet(tmp_path), 0, 1, lambda epoch: 1.0)
    said = [str(each.message) for each in caught if each.category is sg.ShiftWarning]
    assert len(said) == 1 and "writes no shift.html any more (ZeroDivisionError" in said[0]
    assert json.loads((tmp_path / "report.json").read_text())["shifted"] is False
    assert not (tmp_path / "shift.html").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"epochs": 3}', '{"epochs": {"numbers": [1]}}'])
def test_a_damaged_page_of_an_earlier_fit_is_left_behind(tmp_path, text):
    (tmp_path / "shift.json").write_text(text)
    page = RunPage(tmp_path)
    page.resume(1)
    page.write()
    assert "Nothing has been judged yet" in (tmp_path / "shift.html").read_text()


def test_a_long_fit_is_thinned_out_and_ends_with_its_latest_epoch():
    history = EpochHistory()
    for epoch in range(1, 252):
        history.add(epoch, {"loss": np.float32(epoch)}, [])
    numbers = history.part([])["numbers"]
    assert len(numbers) <= 200 and numbers[-1] == 251
    assert {b - a for a, b in zip(numbers, numbers[1:], strict=False)} == {2}
