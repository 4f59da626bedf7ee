"""The cost of a difference, its interval, and its effect on alarms."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_findings import NOISIER

from keras_shiftguard.detection.cost import Cost, cost_of, cost_of_too_few, gap_between
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.words.report_words import in_a_sentence
from keras_shiftguard.detection.words.said import Said

FOUND = replace(NOISIER, said=Said("Validation images are noisier"))
SURE, NOTHING = Cost(0.06, (0.04, 0.08), 500), Cost(0.002, (-0.004, 0.008), 500)


@pytest.mark.parametrize(
    ("cost", "state", "words"),
    [
        (SURE, "alarm", "costs about 6.0 points of accuracy (between 4.0 and 8.0 points)"),
        (NOTHING, "harmless", "costs 0.2 points of accuracy (0.8 points at most)"),
        (Cost(0.009, (0.001, 0.02), 500), "question", "best repair tried wins 0.1 to 2.0 points"),
        (Cost(-0.02, (-0.04, -0.001), 500), "harmless", "costs no accuracy"),
        # A standard error half as large needs four times the samples.
        (Cost(0.02, (-0.02, 0.06), 500), "question", "about 2,000 labelled samples would tell"),
        (Cost(-0.01, (-0.05, 0.03), 500), "question", "about 2,000 labelled samples would tell"),
        (Cost(0, (-0.1, 0.1), 120, num_kept=900), "question", "time for 120 of 900 samples"),
        # Nothing that was tried wins back what validation loses.
        (Cost(0.0, (-0.01, 0.01), 500, unexplained=0.2), "question", "20 points less accuracy"),
        (replace(SURE, is_new=True), "question", "measured once"),
        (None, "alarm", "Validation images are noisier, since epoch 3."),
    ],
)
def test_what_a_cost_makes_of_a_finding(cost, state, words):
    found = FOUND.with_cost(cost, 0.01)
    states = {"alarm": found.matters, "question": found.is_question, "harmless": found.harmless}
    assert [name for name, holds in states.items() if holds] == [state]
    assert words in in_a_sentence(found)
    assert found.cost == (None if cost is None else cost.value)
    assert Finding.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert found.with_cost(None, 0.01) == FOUND


def test_a_finding_carries_what_repairs_it():
    repair = {"operations": [["gain", 2.0]], "low": 0.0, "high": 1.0}
    cost = Cost(0.2, (0.1, 0.3), 500, repair)
    found = FOUND.with_cost(cost, 0.01)
    again = Finding.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.operation == ("gain", 2.0) and again.metric == "accuracy"
    x = np.full((2, 4, 4, 1), 0.25, "float32")
    np.testing.assert_allclose(again.repair(x), np.full_like(x, 0.5), atol=1e-6)
    # What is not sure to help is no repair.
    unsure = FOUND.with_cost(replace(cost, interval=(-0.1, 0.5)), 0.01)
    assert unsure.operation is None and unsure.repair is None


def test_the_intervals_hold_what_they_say():
    """The intervals cover the truth in 95 % of 400 draws, within sampling error."""
    rng = np.random.default_rng(0)
    holds = np.zeros(2)
    for _ in range(400):
        before = rng.random(300) < 0.8
        after = np.where(rng.random(300) < 0.1, rng.random(300) < 0.4, before)
        low, high = cost_of(before, after).interval
        holds[0] += low < 0.04 < high  # a tenth of the images has accuracy .4 in place of .8
        ids = rng.integers(0, 3, 300), rng.integers(0, 3, 200)
        low, high = gap_between(before, rng.random(200) < 0.7, *ids).interval
        holds[1] += low < 0.1 < high
    assert np.all(holds / 400 > 0.93)
    nothing = cost_of(np.ones(50), np.ones(50))
    assert nothing.value == 0 and nothing.interval[1] > 0.01


def test_other_class_frequencies_alone_make_no_gap():
    """The model is right on 90 % of class 0 and 50 % of class 1 in both streams."""
    rng = np.random.default_rng(0)
    one, other = (rng.random(4000) < share for share in (0.2, 0.8))
    rights = [rng.random(4000) < np.where(ids, 0.5, 0.9) for ids in (one, other)]
    assert rights[0].mean() - rights[1].mean() > 0.2
    gap = gap_between(*rights, one.astype(int), other.astype(int))
    assert abs(gap.value) < 0.05 and gap.interval[0] < 0 < gap.interval[1]
    assert 1000 < gap.num_samples < 3000  # the rare class counts for most of the reference


@pytest.mark.parametrize(("tolerance", "needed"), [(0.01, "280"), (0.05, "100"), (0.0, "2,800")])
def test_too_few_samples_are_no_alarm_and_say_how_many_would_tell(tolerance, needed):
    found = FOUND.with_cost(cost_of_too_few(0), tolerance)
    assert not found.matters and found.cost is None and found.cost_interval is None
    assert f"about {needed} labelled samples would tell" in found.cost_words
    # So many samples show that nothing is lost.
    right = np.ones(int(needed.replace(",", "")))
    assert cost_of(right, right).interval[1] <= max(tolerance, 0.001)
    wrong_scale = replace(FOUND, kind="preprocessing").with_cost(cost_of_too_few(0), tolerance)
    assert wrong_scale.matters
