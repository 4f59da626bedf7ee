"""`verdict_of`: which fact a verdict is about, and that it never claims what was not compared."""

from dataclasses import replace

import numpy as np
import pytest
from made_findings import DARKER, NOISIER

from keras_shiftguard import Diagnosis, InputConvention, ShiftReport, Verdict, compare, profile
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.explain.gap_verdict import with_gap
from keras_shiftguard.explain.report import GapReport, GapRow

SIZES = {"train": 500, "validation": 300}
NOISY = replace(NOISIER, effect_size=1.0).with_cost(Cost(0.05, (0.03, 0.07), 400), 0.01)
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
    assert "costs about 5.0 points of accuracy (between 3.0 and 7.0 points)" in str(found)
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
    **{"feature": "labels", "kind": "label", "family": "label", "cost": None, "cost_words": ""},
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
        (verdict_of(report(NOISY), {"train": MISMATCH}, {"train": 1}), "corrects it inside fit"),
        (verdict_of(report(COLUMN, OTHER)), "column 1 is lower"),
    ],
)
def test_a_second_fault_is_named_in_a_line(found, also):
    assert found.notes[0].startswith("Also: ") and also in found.notes[0]
    assert f"\n  {found.notes[0]}" in str(found)


@pytest.mark.parametrize(("late", "first"), [(1, "The first batch"), (3, "The first 3 batches")])
def test_batches_of_an_evaluation_that_ran_uncorrected_are_told(late, first):
    found = verdict_of(None, {"validation": MISMATCH}, {"validation": 1}, late=late)
    assert f"Note: {first} ran uncorrected: run the line above, and repeat." in str(found)
    assert "inside fit" not in str(found)


def test_what_the_first_fault_explains_is_no_second_one():
    assert verdict_of(report(NOISY), {"validation": MISMATCH, "train": FINE}).notes == ()
    darker = DARKER.with_cost(Cost(0.05, (0.03, 0.07), 400), 0.01)
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


GAP = GapReport(
    (
        GapRow("preprocessing", 0.15, (0.1, 0.2), 0.75, "removed", "fed 0..1", "x = x * 255"),
        GapRow("unexplained", 0.01, (-0.01, 0.03), 0.61, "rest"),
    ),
    *(0.6, 0.76, (0.12, 0.2), "published", 2000),
).to_dict()


def test_a_gap_in_the_log_says_what_wrong_preprocessing_costs():
    run = verdict_of(report(), {"train": MISMATCH}, guard={})
    assert run.cost_words == "cost not measured"
    found = with_gap(run, GAP)
    assert (found.cause, found.cost, found.cost_interval) == (run.cause, 0.15, (0.1, 0.2))
    words = "Costs 15.0 points of accuracy (between 10.0 and 20.0 points), measured by explain_gap."
    assert words in str(found) or f"; {words[0].lower()}{words[1:]}" in str(found)


def test_a_gap_leads_or_is_a_second_fault_or_says_nothing():
    fine = with_gap(verdict_of(report()), GAP)
    assert fine.state == "act" and fine.step == "x = x * 255"
    act = with_gap(verdict_of(report(NOISY)), GAP)
    assert "noisier" in act.cause and act.notes[0].startswith("Also: accuracy is 16.0 points lower")
    looked = with_gap(verdict_of(report(DARKER)), GAP)
    assert looked.about[0] == "gap" and "darker" in looked.notes[-1]
    small = {**GAP, "beyond_sampling": False}
    assert with_gap(verdict_of(report(NOISY)), small) == verdict_of(report(NOISY))
    assert with_gap(verdict_of(report(sizes=None)), small).state == "fine"
    again = Verdict.from_dict(act.to_dict())
    assert again == act
