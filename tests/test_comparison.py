"""`compare`: comparisons of data, profiles and files with each other."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_shiftguard as sg

# Only the measurement depends on the backend (test_measure.py), not the comparison.


def images(seed, n=240, brightness=1.0):
    rng = np.random.default_rng(seed)
    coarse = rng.random((n, 4, 4, 3)) * rng.uniform(0.4, 1, (n, 1, 1, 1))
    return (np.kron(coarse, np.ones((1, 4, 4, 1))) * brightness).astype("float32")


@pytest.fixture(scope="module")
def reference():
    return sg.profile((images(0), np.arange(240) % 4))


def test_no_shift(reference):
    report = sg.compare(reference, (images(1), np.arange(240) % 4))
    assert not report.shifted and report.findings == ()
    assert report.num_samples == {"reference": 240, "current": 240}


@pytest.mark.backend
def test_a_shift_has_its_number_and_its_words(reference, tmp_path):
    path = tmp_path / "train.profile"
    reference.save(path)
    report = sg.compare(path, (images(1, brightness=0.6), np.arange(240) % 4))
    assert report.shifted and report.kinds == ("covariate",)
    worst = report.findings[0]
    assert worst.stream == "current" and worst.against == "reference" and worst.since is None
    assert abs(worst.effect_size) > 0.5 and 0 < worst.p_value < 1e-6
    assert worst.interval[0] <= worst.effect_size <= worst.interval[1]
    assert "current" in str(report) and f"{abs(worst.effect_size):.1f}" in worst.explanation


def test_too_few_samples_is_not_no_shift():
    report = sg.compare(images(0, 240), images(1, 4))
    assert not report.shifted
    assert "not enough samples" in str(report) and "4 of" in str(report)


@pytest.mark.parametrize("alpha", [0, 1, "0.05", None])
def test_alpha_is_a_rate(reference, alpha):
    with pytest.raises(sg.BadInputError, match="alpha"):
        sg.compare(reference, reference, alpha=alpha)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nowhere.profile", "not a file"),
        (sg.InputProfile(), "empty profile"),
        (np.zeros((0, 8, 8, 3)), "empty|nothing"),
        (object(), "model.fit"),
    ],
)
def test_what_cannot_be_compared_says_so(reference, value, words):
    with pytest.raises(sg.BadInputError, match=words):
        sg.compare(reference, value)
    with pytest.raises(sg.BadInputError, match=words):
        sg.compare(value, reference)


def table(seed, shift=0.0):
    """Returns a table as Keras feeds structured data: a dict of one-dimensional columns."""
    rng = np.random.default_rng(seed)
    return {"age": rng.normal(size=300) + shift, "member": rng.normal(size=300) > shift}


def test_columns_of_one_dimension_and_booleans_are_compared_by_name():
    assert sg.compare(table(0), table(1)).findings == ()
    report = sg.compare(table(0), table(1, 3.0))
    assert {f.feature.split("/")[0] for f in report.findings} == {"age", "member"}
    assert "'age'" in str(report) and "'member'" in str(report)


def test_data_that_does_not_fit_is_an_error():
    with pytest.raises(sg.BadInputError, match="no input is in both.*'age'.*'input'"):
        sg.compare({"age": table(0)["age"]}, np.zeros((30, 2)))
    with pytest.raises(sg.BadInputError, match="pad sequences"):
        sg.profile(np.ones((8, length), "int32") for length in (5, 7))


def test_flat_images_are_a_failing_loader():
    finding = sg.compare(images(0), images(1) * 0).findings[0]
    assert finding.kind == "preprocessing" and "flat" in finding.explanation


@pytest.mark.parametrize("value", [True, "half", float("nan"), 0])
def test_a_senseless_number_of_samples_is_an_error(value):
    with pytest.raises(sg.BadInputError, match="distinct_samples"):
        sg.profile(np.ones((8, 3)), distinct_samples=value)


def test_the_cost_of_two_accuracies_is_noted_as_such():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x = rng.normal(2.0 * y[:, None] - 1, 0.7, (400, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    model.layers[0].set_weights([np.ones((3, 1)), np.zeros(1)])
    before, after = (sg.profile((data, y), model=model) for data in (x, x + 1))
    report = sg.compare(before, after)
    assert report.findings[0].cost > 0.1 and "a part of it is overfitting" in str(report)
    assert "overfitting" not in str(sg.compare(before, after, tolerance=None))
    clips = sg.compare(before, dataclasses.replace(after, distinct_samples=40)).findings[0]
    low, high = report.findings[0].cost_interval
    assert np.ptp(clips.cost_interval) == pytest.approx((high - low) * 10**0.5)
    # Without labels there is no cost, and the note tells the estimate by the mean confidence.
    unlabelled = sg.compare(before, sg.profile(x + 1, model=model))
    assert all(f.cost is None for f in unlabelled.findings)
    assert "By the mean confidence" in str(unlabelled) and "mean confidence" not in str(report)
