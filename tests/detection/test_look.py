"""One comparison of two profiles: findings, notes, and p-values corrected for many tests."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.detection_calibration import profile, table

from keras_shiftguard import profile as measured
from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.profiles import InputProfile, LabelSummary, OutputSummary

RNG = np.random.default_rng(0)


def columns(n, k=6, shift=0.0, labels=None):
    return profile(RNG.normal(shift, 1, (n, k)), labels)


def with_input(stream, **changes):
    return replace(stream, inputs={"input": replace(stream.inputs["input"], **changes)})


def outputs(n, tilt=0.0, weights="w"):
    scores = RNG.normal(size=(n, 3)) + np.array([tilt, 0, 0])
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    predicted = np.bincount(share.argmax(axis=1), minlength=3)
    return OutputSummary(weights, 3, table(share), predicted)


def test_a_moved_column_is_found_and_reported_with_its_numbers():
    x = RNG.normal(size=(300, 6))
    x[:, 2] += 1
    result = compare_profiles(columns(500), profile(x), stream="validation", against="train")
    first = result.findings[0]
    assert first.feature == "input/2" and first.kind == "covariate" and first.matters
    assert (first.stream, first.against, first.since) == ("validation", "train", None)
    assert first.interval[0] < 1 < first.interval[1] and 0 < first.p_value < 1e-20
    assert first.explanation.startswith("Validation samples are higher in column 2: mean")
    assert "in training, effect size" in first.explanation
    assert 0 < result.p_value < 1e-18


def test_texts_are_told_by_the_ids_that_one_has_more_of():
    """A hashed group of ids is named by the ids that differ, for a reader knows no group."""
    ids = RNG.integers(2, 900, (2, 600, 100)).astype("int32")
    training, validation = ids
    validation[RNG.random(validation.shape) < 0.04] = 77
    result = compare_profiles(
        measured(training), measured(validation), stream="validation", against="train"
    )
    first = next(f for f in result.findings if "/group/" in f.feature)
    assert "Validation samples have more values such as 77 and" in first.explanation
    assert "share of them" in first.explanation and "group" not in first.explanation


def test_few_findings_of_many_columns_and_the_rest_counted():
    x = RNG.normal(size=(400, 30)) + RNG.uniform(1, 2, 30)
    result = compare_profiles(columns(400, 30), profile(x))
    ours = [f for f in result.findings if f.feature.startswith("input")]
    assert len(ours) == 3 and "27 more features differ" in ours[-1].explanation


def test_a_tiny_difference_in_a_huge_sample_is_negligible():
    huge = (profile(RNG.normal(shift, 1, (20_000, 1)), only=3) for shift in (0, 0.07))
    result = compare_profiles(*huge)
    assert result.findings and all(f.negligible for f in result.findings)


def test_a_new_class_mix_is_a_label_shift_and_what_follows_from_it_is_not_repeated():
    centres = RNG.normal(0, 2, (4, 6))

    def stream(share, n):
        labels = RNG.choice(4, n, p=share)
        return measured((centres[labels] + RNG.normal(size=(n, 6)), labels))

    result = compare_profiles(stream([0.25] * 4, 2000), stream([0.05, 0.25, 0.25, 0.45], 1000))
    assert result.findings[0].kind == "label" and result.findings[0].family == "label"
    assert "class 0 " in result.findings[0].explanation
    assert "class 3 4" in result.findings[0].explanation
    assert "follow from" in result.findings[0].explanation
    assert [f.kind for f in result.findings] == ["label"]


def test_outputs_are_compared_with_equal_weights_only():
    reference = replace(columns(400), outputs=outputs(400))
    current = replace(columns(400), outputs=outputs(400, tilt=1.0))
    result = compare_profiles(reference, current)
    assert {f.feature.split("/")[0] for f in result.findings} <= {"outputs", "predictions"}
    assert result.findings
    assert not compare_profiles(reference, current, outputs=False).findings
    other = replace(current, outputs=replace(current.outputs, weights="later"))
    result = compare_profiles(reference, other)
    assert not result.findings and any("other weights" in note for note in result.notes)


def test_too_few_samples_say_so():
    result = compare_profiles(columns(500), columns(8, shift=5.0))
    assert not result.findings and result.p_value == 1
    assert any(n.startswith("not enough samples yet") and "8 of the 10" in n for n in result.notes)
    one = compare_profiles(columns(500), columns(1))
    assert not one.findings and one.notes


def test_missing_values_and_columns_without_any():
    full, holes = RNG.normal(size=(300, 2)), RNG.normal(size=(200, 2))
    holes[:, 1] = np.nan
    result = compare_profiles(measured(full), measured(holes), stream="target")
    assert {f.feature for f in result.findings} >= {"input/missing", "input/1/missing"}
    assert all(f.family == "missing" for f in result.findings)
    assert any("without a finite value in target: 1" in note for note in result.notes)


def test_other_shapes_are_certain_and_absent_features_are_noted():
    result = compare_profiles(columns(100, 3), columns(100, 5))
    first = result.findings[0]
    assert first.kind == "preprocessing" and "another shape" in first.explanation
    reference, current = columns(200, 3), columns(200, 3, shift=2.0)
    renamed = replace(current.inputs["input"].features, names=("0", "1", "extra"))
    result = compare_profiles(reference, with_input(current, features=renamed))
    assert any("absent in current: 2" in note for note in result.notes)
    assert any("absent in reference: extra" in note for note in result.notes)
    assert any(f.feature == "input/0" for f in result.findings)
    gone = compare_profiles(reference, InputProfile({"other": current.inputs["input"]}))
    assert "input 'input' is absent in current" in gone.notes


def test_one_class_and_mixed_kinds_of_labels_are_noted():
    one, other = (columns(100, labels=np.zeros(100, int)) for _ in range(2))
    assert any("of one class" in n for n in compare_profiles(one, other).notes)
    numbers = LabelSummary(100, 0, width=1, targets=table(RNG.normal(size=(100, 1))))
    result = compare_profiles(one, replace(columns(100), labels=numbers))
    assert any("class ids in reference and numbers in current" in n for n in result.notes)


def test_copies_of_the_same_samples_are_counted_once():
    x = RNG.normal(0.25, 1, (60, 6))
    reference = columns(2000)
    once = compare_profiles(reference, profile(x))
    copies = replace(profile(np.repeat(x, 50, axis=0)), distinct_samples=60)
    found = compare_profiles(reference, copies).p_value
    assert found == pytest.approx(once.p_value, rel=1e-2, abs=0)
    all_count = compare_profiles(reference, replace(copies, distinct_samples=0)).p_value
    assert all_count < once.p_value / 1e3


def test_an_input_may_be_named_like_something_of_ours():
    x = RNG.normal(size=(300, 6)) + 2

    def named(name, stream):
        return replace(stream, inputs={name: stream.inputs["input"]})

    for name in ("labels", "outputs"):
        result = compare_profiles(named(name, columns(300)), named(name, profile(x)))
        assert {f.feature.split("/")[0] for f in result.findings} == {f"input {name}"}
        assert {f.kind for f in result.findings} == {"covariate"}


def test_one_flat_image_may_be_chance():
    images = RNG.uniform(0, 9, (40, 8, 8, 3))
    found = compare_profiles(measured(images), measured(0 * images)).findings[0]
    assert "are flat" in found.explanation and found.p_value < 1e-9
    result = compare_profiles(measured(images[:10]), measured(0 * images[:1]), level=0.05)
    assert not result.findings  # p = 1 / 11
    assert any(n.startswith("not enough samples yet") and "are flat" in n for n in result.notes)
