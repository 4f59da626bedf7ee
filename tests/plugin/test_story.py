"""The story of a run (what is wrong and what to do), made from the state in its log."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plugin.test_gap import REPORT, ROWS

from keras_shiftguard.detection.attribute_words import LABELS
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.explain.report import GapReport
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.statistics import attributes
from keras_shiftguard.statistics.batch import InputSpec
from tensorboard_plugin_shiftguard import words
from tensorboard_plugin_shiftguard.gap import read_gap
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.statements import _STATE, read_state
from tensorboard_plugin_shiftguard.story import story
from tensorboard_plugin_shiftguard.story_adaptation import adaptation_answer
from tensorboard_plugin_shiftguard.words import ATTRIBUTES, CAUSES, described, in_plain_words

PAIR = ("validation", "train")


def test_every_image_attribute_has_a_name_and_a_cause():
    spec = InputSpec("input", "channels_last", 3, (None, 64, 64, 3))
    names = set(attributes.names(spec))
    assert len(names) > 25 and names <= set(ATTRIBUTES) and set(LABELS) <= set(ATTRIBUTES)
    for name in names:
        cause, label = described(f"input/{name}")
        assert cause in CAUSES and "_" not in label
    assert {cause.main for cause in CAUSES.values()} - {""} <= set(ATTRIBUTES)


def test_the_glossary_of_the_tab_explains_every_attribute_of_images():
    code = (Path(words.__file__).parent / "static" / "glossary.js").read_text()
    texts = re.sub(r'"\s*\+\s*"', "", code).lower()
    names = {label for _, label in ATTRIBUTES.values()} | {words.described("labels")[1]}
    assert [name for name in names if name not in texts] == []


AFTER = {"before": "It may help.", "after": "It helped: ...", "answer": "yes", "source": 0.96}
ESTIMATED = {**AFTER, "now": [0.84, 0.8, 0.88], "earlier": [0.61, 0.55, 0.67]}
ALONE = {**ESTIMATED, "answer": "unknown", "earlier": None, "after": "Accuracy on target data ..."}
SEEN = {**ALONE, "saw_target": True, "after": "Accuracy ... this may be too high."}


@pytest.mark.parametrize(
    ("worth", "kind", "word", "says", "todo"),
    [
        (ESTIMATED, "fine", "Yes", "84 % by estimate; it was 61 % before.", "Nothing."),
        ({**ESTIMATED, "answer": "no"}, "act", "No, it did harm", "was 61 % before.", "Fit again"),
        ({**ESTIMATED, "answer": "same"}, "look", "No difference shown", "chance.", "Fit once"),
        (ALONE, "look", "Not known", "no model without adaptation to compare with.", "Fit once"),
        (SEEN, "look", "Not known", "this may be too high.", "Label some samples"),
        ({**AFTER, "answer": None}, "look", "Not known", "It helped: ...", "Label some samples"),
        ({"before": "It may."}, "look", "Not known", "was estimated so far.", "After the fit"),
        (None, "look", "Not known", "was estimated so far.", "After the fit"),
    ],
)  # fmt: skip
def test_whether_adaptation_helped_is_answered_with_figures_and_a_next_step(
    worth, kind, word, says, todo
):
    more = {"adapts": True, "adapts_since": 2, "step": 11, "num_samples": {"target": 297}}
    answer = adaptation_answer(_STATE({"v": 1, "worth": worth, **more}))
    assert (answer["kind"], answer["word"]) == (kind, word)
    assert answer["what"].endswith(says) and answer["todo"].startswith(todo)
    assert bool(answer["code"]) == answer["todo"].endswith(":")
    facts = dict(answer["facts"])
    assert facts["adapted since epoch 2"] == "of 12"
    if (worth or {}).get("now"):
        assert facts["84 %"].startswith("estimated on the target, 80.0 to 88.0; 96 % on labelled")


def test_the_answer_begins_with_cause_date_and_cost():
    state = {"v": 1, "adapts": True, "adapts_since": 2, "step": 11, "worth": ALONE}
    cause = "Target images are much darker than training images; adaptation is on."
    left = [["brightness", 5.8], ["brightness", 1.6]]
    answer = adaptation_answer(_STATE(state), cause, left)
    assert answer["lead"] == (
        "Since epoch 2 training is adapted, because target images are much darker than training "
        "images (brightness: 5.8 \N{RIGHTWARDS ARROW} 1.6 standard deviations); the accuracy on "
        "the target is estimated at 84 %, about 12.0 points below the 96 % on validation."
    )
    assert answer["facts"][0][0] == "about 12.0 points lost"
    assert adaptation_answer(_STATE({"v": 1, "adapts": True}))["lead"] == (
        "Training is adapted; the accuracy on the target is not estimated."
    )


def test_without_adaptation_there_is_no_answer():
    assert adaptation_answer(_STATE({"v": 1})) is adaptation_answer(None) is None


def test_a_gap_tells_its_largest_cause():
    summary = story(None, {**gap_of(REPORT), "made": 1e9})
    assert (summary["kind"], summary["code"], summary["made"]) == ("act", "x = x * 2", 1e9)
    assert summary["what"] == (
        "Accuracy is 21.0 points lower than it should be, 15.0 of them because of wrong "
        "preprocessing."
    )
    assert summary["todo"] == "Repair wrong preprocessing where the data are prepared:"
    assert summary["short"] == "21.0 points lost, 15.0 by wrong preprocessing"
    assert summary["why"] == ["What is wrong: fed unit, expects tf."]


def test_a_gap_within_sampling_is_fine_and_one_without_a_cause_is_to_be_looked_at():
    small = GapReport(ROWS[2:], 0.8, 0.81, (-0.01, 0.03), "published", 50)
    assert story(None, gap_of(small))["kind"] == "fine"
    unclear = story(None, gap_of(replace(small, doubt="Images are noisier.")))
    assert unclear["kind"] == "look" and "Images are noisier." in unclear["what"]
    rest = replace(ROWS[2], points=0.2)
    assert story(None, gap_of(GapReport((rest,), 0.6, 0.8, (0.1, 0.3), "x", 50)))["kind"] == "look"


def gap_of(report):
    content = plain({**report.to_dict(), "v": 1, "headline": str(report).splitlines()[0]})
    return read_gap(json.dumps(content).encode())


DARK = Finding(
    *("input/brightness", "covariate", "brightness", -2.0, (-2.2, -1.8), 1e-9),
    *("validation", "train", 3, "Validation images are darker: mean brightness 0.2 against 0.5"),
)
SIZES = {"train": 500, "validation": 300}


def state_with(verdict, **more):
    """The state of a log with a verdict, as the plugin reads it."""
    return _STATE(plain({"v": 1, "verdict": verdict.to_dict(), **more}))


@pytest.mark.parametrize("number", range(4))
def test_the_band_says_word_for_word_what_the_verdict_says(number):
    costly = DARK.with_cost(Cost(0.05, (0.03, 0.07), 400), 0.01)
    unclear = DARK.with_cost(Cost(0.05, (-0.03, 0.13), 400), 0.01)
    found = [(costly,), (unclear,), (replace(DARK, until=5),), ()][number]
    verdict = verdict_of(ShiftReport(found, num_samples=SIZES), guard={})
    summary = story(state_with(verdict))
    assert (summary["kind"], summary["what"]) == (verdict.state, verdict.cause)
    assert (summary["since"], summary["cost"]) == (verdict.since, verdict.cost)
    assert verdict.step == (summary["code"] if verdict.is_code else summary["todo"])
    assert summary["cost_words"] == ("unclear" if number == 1 else None)
    assert summary["why"][:1] == ([verdict.detail] if verdict.detail else [])


def test_nothing_compared_is_waiting_and_a_gap_takes_its_place():
    nothing = state_with(verdict_of(ShiftReport()))
    assert story(nothing)["kind"] == "waiting"
    assert story(nothing, {**gap_of(REPORT), "made": 1e9})["kind"] == "act"


def test_a_log_of_an_older_version_opens_with_a_line():
    old = {"v": 1, "report": {"findings": []}, "verdict": {"shift": "ShiftGuard: shift found"}}
    summary = story(read_state(Point(0, 0.0, np.array(json.dumps(old).encode(), dtype=object))))
    assert summary["kind"] == "waiting" and summary["what"].startswith("This log holds no verdict")


def test_nothing_is_no_story():
    assert story(None)["kind"] == "waiting"
    assert story(_STATE({"v": 1}))["what"] == "Nothing has been compared so far."


def test_texts_of_the_log_are_put_into_plain_words():
    assert in_plain_words("its band_1 lies above") == "its finest detail (2 pixels) lies above"
    for word in ("noise", "brightness", "a_b", "my_band_1"):
        assert in_plain_words(word) == word
