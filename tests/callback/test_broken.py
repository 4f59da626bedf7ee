"""Validation images that are broken or transposed: what no mean of an attribute names."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    images = (x[order] / 16).reshape(-1, 8, 8, 1).astype("float32")
    return np.kron(images, np.ones((1, 2, 2, 1), "float32")), y[order]


def fitted(digits, change, epochs=4):
    x, y = digits
    keras.utils.set_random_seed(0)
    body = [keras.layers.Conv2D(16, 3, 2, activation="relu"), keras.layers.Flatten()]
    body += [keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input(x.shape[1:]), *body])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    data = {"validation_data": (change(x[1200:].copy()), y[1200:])}
    model.fit(x[:1200], y[:1200], **data, epochs=epochs, callbacks=[guard], verbose=0)
    return guard.report


def blank(share, value=0.0):
    def change(x):
        x[: round(share * len(x))] = value
        return x[np.random.default_rng(0).permutation(len(x))]

    return change


@pytest.mark.parametrize("value", [0.0, pytest.param(0.7, marks=pytest.mark.thorough)])
def test_a_share_of_flat_images_is_told_first(digits, value):
    report = fitted(digits, blank(0.3, value))
    first = report.findings[0]
    assert report.shifted and first.kind == "preprocessing" and first.since == 1
    assert first.explanation.startswith("30 % of the validation images are flat")
    assert sum("are flat" in finding.explanation for finding in report.findings) == 1


def test_a_few_flat_images_or_none_are_quiet(digits):
    for share in (0.0, 0.005):
        assert not any("flat" in f.explanation for f in fitted(digits, blank(share), 1).findings)


def test_black_frames_in_both_streams_are_part_of_the_data(digits):
    x, y = digits
    x = x.copy()
    x[::5] = 0
    assert not any("flat" in f.explanation for f in fitted((x, y), lambda v: v, 1).findings)


def test_rows_and_columns_that_are_exchanged_are_told(digits):
    """No attribute shows it, so it is looked for because the model fails on validation."""
    report = fitted(digits, lambda x: x.transpose(0, 2, 1, 3), epochs=6)
    assert report.shifted
    assert "transposed (rows and columns exchanged)" in report.findings[0].explanation
    assert report.findings[0].operation[0] == "transpose" and report.findings[0].cost > 0.5


@pytest.mark.parametrize(
    ("change", "words", "line"),
    [
        (  # Hounsfield units
            lambda x: x * 1400 - 400,
            "about 1400 times as large, minus 400 (range -400 to 1000, against 0 to 1",
            "x = (x + 400) / 1400",
        ),
        (lambda x: np.clip(x * 1400 - 400, 0, 600), "another range: 0 to 600, against 0 to 1", ""),
        (  # standardised with a mean and a deviation of its own, as no published model is
            lambda x: (x - 0.31) / 0.37,
            "about 2.703 times as large, minus 0.8378 (range -0.8378 to 1.865, against 0 to 1",
            "x = (x + 0.8378) / 2.703",
        ),
        (lambda x: x * 0.3 + 0.1, "", ""),  # pale
        (lambda x: x * 0.8 - 0.1, "", ""),  # darker, and not clipped
        pytest.param(lambda x: x * 3, "", "", marks=pytest.mark.thorough),
    ],
)
def test_a_range_that_no_scene_explains_is_certain(digits, change, words, line):
    found = [f for f in fitted(digits, change, 1).findings if "range" in f.explanation]
    assert bool(found) == bool(words)
    for finding in found:
        assert finding.matters and words in finding.explanation and finding.fix == line
