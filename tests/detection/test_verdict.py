"""`verdict_of`: which fact a verdict is about, and that it never claims what was not compared."""

from dataclasses import replace

import numpy as np
import pytest
from made_findings import DARKER, NOISIER, row_of

from keras_shiftguard import (
    Diagnosis,
    GapReport,
    InputConvention,
    ShiftReport,
    Verdict,
    compare,
    profile,
)
from keras_shiftguard.detection.gap_row import GapRow
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.detection.words.said import Said

SIZES = {"train": 500, "validation": 300}
ROW = row_of(0.05, 0.03, 0.07)
NOISY = replace(NOISIER, effect_size=1.0, row=ROW)
MISMATCH = Diagnosis("mismatch", InputConvention("tf", "rgb"), InputConvention("unit", "rgb"))
FINE = Diagnosis("ok", InputConvention("tf", "rgb"), InputConvention("tf", "rgb"))


def report(*findings, sizes=SIZES, notes=()):
    return ShiftReport(findings, notes, num_samples=sizes)


def test_preprocessing_comes_before_cost_and_cost_before_size():
    everything = report(DARKER, NOISY)
    assert verdict_of(everything, {"train": MISMATCH}).about[0] == "preprocessing"
    found = verdict_of(everything, {"train": FINE})
    assert (found.state, found.about, found.cost) == ("act", ("covariate", "noise"), 0.05)
    assert found.cost_interval == (0.03, 0.07) and found.since == 3
    assert "costs about 5.0 points of accuracy (between 3.0 and 7.0)" in str(found)
    assert verdict_of(report(DARKER)).state == "look"  # without a cost, it is no promise


@pytest.mark.parametrize(
    "sizes", [None, {}, {"train": 500}, {"train": 500, "the first epoch": 500}, {"a": 9, "b": 0}]
)
def test_what_was_not_compared_is_never_no_shift(sizes):
    found = verdict_of(report(sizes=sizes))
    assert found.state == "nothing compared" and "looks like" not in str(found)
    assert "no shift" not in str(found).lower() and found.step


def test_a_leak_is_worth_a_look():
    found = verdict_of(report(), leaks=True)
    assert found.state == "look" and "stand in training" in found.cause
    assert verdict_of(report(NOISY), leaks=True).state == "act"


SHARES = replace(
    NOISY,
    **{"feature": "labels", "kind": "label", "family": "label", "row": None},
    said=Said("Class 3 makes up 40 % of validation and 10 % of training"),
)
COLUMN = replace(NOISY, feature="x/0", family="column 0", said=Said("Column 0 is higher"))
OTHER = replace(COLUMN, feature="x/1", said=Said("Column 1 is lower"))


@pytest.mark.parametrize(
    ("found", "also"),
    [
        (verdict_of(report(NOISY, SHARES)), "class 3 makes up 40 % of validation"),
        (verdict_of(report(SHARES), {"train": MISMATCH, "validation": MISMATCH}), "class 3 makes"),
        (verdict_of(report(NOISY), {"train": MISMATCH, "validation": MISMATCH}), "noisier"),
        (
            verdict_of(report(NOISY), {"train": MISMATCH}, corrected={"train": 1}),
            "corrects it inside fit",
        ),
        (verdict_of(report(COLUMN, OTHER)), "column 1 is lower"),
    ],
)
def test_a_second_fault_is_named_in_a_line(found, also):
    assert found.notes[0].startswith("Also: ") and also in found.notes[0]
    assert f"\n  {found.notes[0]}" in str(found)


@pytest.mark.parametrize(("late", "first"), [(1, "The first batch"), (3, "The first 3 batches")])
def test_batches_of_an_evaluation_that_ran_uncorrected_are_told(late, first):
    found = verdict_of(None, {"validation": MISMATCH}, corrected={"validation": 1}, late=late)
    assert f"Note: {first} ran uncorrected: run the line above, and repeat." in str(found)
    assert "inside fit" not in str(found)


def test_what_the_first_fault_explains_is_no_second_one():
    assert verdict_of(report(NOISY), {"validation": MISMATCH, "train": FINE}).notes == ()
    darker = replace(DARKER, row=ROW)
    both = verdict_of(report(NOISY, darker))
    assert both.notes == () and "darker" in both.cause and "noisier" in both.cause
    assert verdict_of(report(NOISY, DARKER)).notes == ()


def test_the_step_is_the_line_that_undoes_a_known_step_of_preprocessing():
    x = np.random.default_rng(0).random((300, 8, 8, 3)).astype("float32")
    found = compare(profile(x[:150]), profile(255 * x[150:]))
    assert [finding.fix for finding in found.findings] == ["x = x / 255"]
    verdict = verdict_of(found)
    assert verdict.step == "x = x / 255  # x: a batch of current" and verdict.is_code


@pytest.mark.parametrize(
    ("answer", "state"), [("yes", "fine"), ("no", "act"), ("same", "look"), (None, "look")]
)
def test_an_adaptation_is_never_passed_over(answer, state):
    worth = {"answer": answer, "after": "It helped."} if answer else {}
    found = verdict_of(report(), adaptation=worth)
    assert found.state == state and "daptation" in found.cause + found.adaptation


def gap(*rows, reference=0.9, measured=0.7):
    rest = reference - measured - sum(row.points for row in rows)
    rows = (*rows, GapRow("unexplained", "within chance", rest, (rest - 0.01, rest + 0.01)))
    ends = reference - measured - 0.03, reference - measured + 0.03
    return GapReport(rows, reference, measured, ends, num_samples=800)


MIRRORED = GapRow(
    *("input", "validation images are mirrored left to right", 0.2, (0.16, 0.24), True),
    step="x = x[:, :, ::-1]",
)
BY_HEART = GapRow(
    "memorised", "the model knows its training samples by heart", 0.2, (0.1, 0.3), True
)
BEHIND = GapRow("unexplained", "nothing that was tried undoes it", 0.2, (0.17, 0.23), True)


def test_the_largest_sure_row_is_what_to_do():
    found = verdict_of(report(), gap=gap(MIRRORED))
    assert (found.state, found.cost, found.step) == ("act", 0.2, "x_val = x_val[:, :, ::-1]")
    assert (
        "mirrored left to right" in found.cause and "costs about 20.0 points" in str(found).lower()
    )
    assert Verdict.from_dict(found.to_dict()) == found


def test_a_second_row_is_named():
    labels = GapRow("labels", "class ids are exchanged", 0.1, (0.05, 0.15), True, step="Look.")
    found = verdict_of(report(), gap=gap(MIRRORED, labels, measured=0.6))
    assert found.notes[0] == "Also: class ids are exchanged."


def test_fine_beside_a_sure_gap_says_where_it_comes_from():
    rows = gap(BY_HEART).rows[:1]
    found = verdict_of(report(), gap=replace(gap(), rows=rows))
    assert (found.state, found.cost) == ("fine", None)
    assert found.cause == (
        "The data match. Validation is 20.0 points lower because the model knows its training "
        "samples by heart."
    )


def test_a_sure_rest_without_a_name_is_never_fine():
    found = verdict_of(report(), gap=replace(gap(), rows=(BEHIND,)))
    assert found.state == "look" and "nothing that was tried undoes it" in found.cause
    assert verdict_of(report(), {"train": MISMATCH}, replace(gap(), rows=(BEHIND,))).state == "act"


def test_a_difference_that_the_user_knows_is_no_fault():
    known = replace(NOISY, row=MIRRORED, acknowledged="a new camera")
    assert verdict_of(report(known), gap=gap(MIRRORED)).state == "fine"
