"""Mirrored validation: what is told of it, and what the log shows of it with the repair."""

import json
import warnings

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from small_fits import compiled, dense, digits, watched

from keras_shiftguard import ShiftGuard
from keras_shiftguard.callback import spending
from keras_shiftguard.errors import ShiftWarning

pytestmark = pytest.mark.eager


@pytest.fixture(scope="module", autouse=True)
def unhurried():
    """Lets experiments take any time, so that a busy machine changes nothing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spending, "FREE_SECONDS", float("inf"))
        yield


def network():
    keras.utils.set_random_seed(0)
    return dense((8, 8, 1), metrics=["accuracy"])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Trains on digits and validates on mirrored ones; returns all but the mirrored images."""
    (x, y), log, model = digits(), tmp_path_factory.mktemp("log"), network()
    validation = x[1000:, :, ::-1], y[1000:]
    guard = watched(model, (x[:1000], y[:1000]), validation, 6, log_dir=log, log_samples=4)
    return model, guard, (x[1000:], y[1000:]), log


def test_mirrored_images_are_never_told_as_exchanged_labels(tmp_path):
    """A mirrored 5 is often taken for a 7, and was told so until mirroring was tried, at the end.

    In the order of the data set, neighbours are by one writer, so the samples count as few.
    """
    x, y = load_digits(return_X_y=True)
    x = (x.reshape(-1, 8, 8, 1) / 16).astype("float32").repeat(2, 1).repeat(2, 2)
    keras.utils.set_random_seed(0)
    stack = [keras.layers.Conv2D(16, 3, activation="relu", strides=2) for _ in range(2)]
    head = keras.layers.Dense(10, activation="softmax")
    model = compiled((16, 16, 1), *stack, keras.layers.Flatten(), head, rate=1e-3)
    guard = ShiftGuard(verbose=0)
    data = {"validation_data": (x[1200:, :, ::-1], y[1200:]), "callbacks": [guard]}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ShiftWarning)
        model.fit(x[:1200], y[:1200], epochs=8, verbose=0, **data)
    assert guard.verdict.state == "act" and "mirrored" in guard.verdict.cause
    assert not [each for each in warned if "label" in str(each.message)]


def test_the_accuracy_with_the_repair_is_that_of_repaired_samples(fitted):
    model, guard, (x_val, y_val), log = fitted
    assert "mirrored" in guard.verdict.cause
    logs = json.loads((log / "shift.json").read_text())["epochs"]["logs"]
    _, accuracy = model.evaluate(x_val, y_val, verbose=0)
    assert logs["val_accuracy"][-1] < 0.5 < accuracy
    assert guard.verdict.cost_words.startswith("costs about")  # not unknown above such a curve
    assert guard.verdict.cost == pytest.approx(accuracy - logs["val_accuracy"][-1], abs=0.05)
    assert logs["val_accuracy repaired"][-1] == pytest.approx(accuracy, abs=1e-6)
    assert "validation with the repair" in (log / "shift.html").read_text()


def test_the_images_with_the_repair_stand_beside_those_that_were_fed(fitted):
    *_, log = fitted
    looks = json.loads((log / "shiftguard" / "samples" / "index.json").read_text())["looks"]
    rows = {(row["stream"], row["what"]): row["pictures"] for row in looks[-1]["rows"]}
    assert ("train", "repaired") not in rows
    fed, repaired = rows["validation", "fed"], rows["validation", "repaired"]
    assert [one["label"] for one in fed] == [one["label"] for one in repaired]
    for one, other in zip(fed, repaired, strict=True):
        before, after = (np.asarray(Image.open(log / each["file"])) for each in (one, other))
        assert np.abs(before[:, ::-1].astype(int) - after).max() <= 1
        assert not np.array_equal(before, after)


def test_without_a_fault_nothing_is_repaired(tmp_path):
    x, y = digits()
    parts = (x[:1000], y[:1000]), (x[1000:], y[1000:])
    watched(network(), *parts, 1, on_shift="warn", log_dir=tmp_path, log_samples=2)
    logs = json.loads((tmp_path / "shift.json").read_text())["epochs"]["logs"]
    assert "val_accuracy" in logs and not any("repaired" in name for name in logs)
