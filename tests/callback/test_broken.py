"""Validation images that are broken or transposed: what no mean of an attribute names."""

import numpy as np
import pytest
from keras import layers
from small_fits import compiled, digits, watched

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def data():
    return digits()


def report_of(data, change, epochs=4):
    x, y = data
    convolution = layers.Conv2D(16, 3, 2, activation="relu")
    model = compiled((8, 8, 1), convolution, layers.Flatten(), layers.Dense(10, "softmax"))
    validation = change(x[1000:1400].copy()), y[1000:1400]
    return watched(model, (x[:1000], y[:1000]), validation, epochs).report


def blank(share):
    def change(x):
        x[: round(share * len(x))] = 0
        return x[np.random.default_rng(0).permutation(len(x))]

    return change


def test_a_share_of_flat_images_is_told_first(data):
    report = report_of(data, blank(0.3))
    first = report.findings[0]
    assert report.shifted and first.kind == "preprocessing" and first.since == 1
    assert first.explanation.startswith("30 % of the validation images are flat")
    assert sum("are flat" in finding.explanation for finding in report.findings) == 1


def test_a_few_flat_images_or_flat_ones_in_both_streams_are_quiet(data):
    x, y = data
    everywhere = x.copy()
    everywhere[::5] = 0
    reports = [report_of(data, blank(0.005), 1), report_of((everywhere, y), lambda x: x, 1)]
    assert not any("flat" in f.explanation for report in reports for f in report.findings)


def test_rows_and_columns_that_are_exchanged_are_told(data):
    """No attribute shows it, so it is looked for because the model fails on validation."""
    report = report_of(data, lambda x: x.transpose(0, 2, 1, 3), epochs=6)
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
    ],
)
def test_a_range_that_no_scene_explains_is_certain(data, change, words, line):
    found = [f for f in report_of(data, change, 1).findings if f.is_certain]
    assert bool(found) == bool(words)
    for finding in found:
        assert finding.matters and words in finding.explanation and finding.fix == line
