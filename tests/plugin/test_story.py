"""The story of a run (what is wrong and what to do), made from the state in its log."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from plugin.test_gap import REPORT, ROWS
from shift_tab_log import numbers

from keras_shiftguard.detection.attribute_words import LABELS
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.explain.report import GapReport
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.log.shift_tab_findings import logged_report
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.statistics import attributes
from keras_shiftguard.statistics.batch import InputSpec
from tensorboard_plugin_shiftguard import words
from tensorboard_plugin_shiftguard.gap import read_gap
from tensorboard_plugin_shiftguard.statements import _STATE
from tensorboard_plugin_shiftguard.story import matters, story
from tensorboard_plugin_shiftguard.story_adaptation import adaptation_answer
from tensorboard_plugin_shiftguard.story_preprocessing import MODES, plainly
from tensorboard_plugin_shiftguard.words import ATTRIBUTES, CAUSES, described, in_plain_words

PAIR = ("validation", "train")


def state_of(monitor, **more):
    """The state that the guard writes, as the plugin reads it."""
    report = plain(logged_report(monitor.report(), monitor.pairs))
    said = str(monitor.report()).splitlines()[0]
    content = {"v": 1, "report": report, "verdict": {"shift": said}, "alpha": 0.05, **more}
    return _STATE(content)


@pytest.fixture
def monitor():
    return ShiftMonitor(0.05, [PAIR])


def compared(monitor, rng, shift=0.0, classes=(3, 3), epoch=2):
    """Compares two tables of 600 rows, whose column 1 and whose class mix may differ."""
    both = []
    for name, number in zip(PAIR, classes, strict=True):
        x = rng.normal(size=(600, 3))
        x[:, 1] += shift * (name == "validation")
        both.append(numbers(x, rng.integers(0, number, 600)))
    monitor.compare(*PAIR, *both, epoch)
    return monitor


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


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_told_as_the_range_of_its_values(mode):
    text = plainly(f"{InputConvention(mode, 'rgb')} fits best (misfit 0.1, as fed 0.5; 16 images).")
    assert text == f"{MODES[mode]}, RGB fits best."


def test_no_shift_is_fine(monitor, rng):
    summary = story(state_of(compared(monitor, rng)))
    assert (summary["kind"], summary["what"]) == ("fine", "Validation looks like training.")


@pytest.mark.parametrize("statuses", [("ok",), ("ok", "unknown"), ("unknown",)])
def test_preprocessing_is_called_right_only_where_it_was_judged(monitor, rng, statuses):
    judged = {f"stream {i}": {"status": status} for i, status in enumerate(statuses)}
    summary = story(state_of(compared(monitor, rng), diagnosis=judged))
    assert summary["kind"] == "fine"
    assert ("prepared as the model expects" in summary["what"]) == (statuses == ("ok",))


def test_a_shift_without_a_cost_is_to_be_looked_at(monitor, rng):
    summary = story(state_of(compared(monitor, rng, shift=2)))
    assert (summary["kind"], summary["since"], summary["cost"]) == ("look", 2, None)
    assert summary["what"] == "Validation samples are higher in column 1 than training samples."
    assert summary["short"] == "higher in column 1"
    [why] = summary["why"]
    assert why.startswith(summary["what"].split(" than")[0]) and "effect size" in why


def test_a_shift_that_is_over_is_told_in_the_past_tense(rng):
    monitor = ShiftMonitor(0.05, [PAIR])
    for epoch in range(1, 6):
        compared(monitor, rng, shift=2.0 * (epoch < 4), epoch=epoch)
    summary = story(state_of(monitor))
    assert (summary["kind"], summary["since"], summary["until"]) == ("look", 1, 3)
    assert summary["what"] == (
        "Validation samples were higher in column 1 than training samples, in epochs 1 to 3 only."
    )
    assert summary["short"] == "higher in column 1, until epoch 3"
    assert summary["todo"].startswith("Nothing now.") and summary["todo"].endswith("in epoch 4.")
    lasting = {**DARKER, "effect_size": -0.5}  # a lasting finding comes first
    over = {**DARKER, "until": 3, "cost": 0.2, "cost_interval": [0.1, 0.3]}
    assert story_of(over, lasting)["until"] is None


def without_options(state):
    """Returns the state without the fields that logs of version 0.1 lack."""
    for each in state["report"]["findings"]:
        each |= {"sentence": None, "difference": None, "classes": []}
    return state | {"tolerance": None, "left": None}


def test_a_log_of_version_0_1_is_told_without_its_numbers(monitor, rng):
    summary = story(without_options(state_of(compared(monitor, rng, shift=2))))
    assert (summary["kind"], summary["what"]) == (
        "look",
        "Validation samples are higher in column 1.",
    )
    mix = story(without_options(state_of(compared(monitor, rng, classes=(2, 3)))))
    assert mix["what"] and "%" not in mix["what"]


@pytest.mark.parametrize(("tolerance", "kind"), [(0.06, "fine"), (0.01, "look"), (None, "look")])
def test_the_tolerance_of_the_log_decides_what_is_to_be_looked_at(monitor, rng, tolerance, kind):
    """The cost is two points of accuracy, with an interval from -1 to 5 points."""
    compared(monitor, rng, shift=2)
    cost = Cost(0.02, (-0.01, 0.05), 500)
    monitor.price(*PAIR, dict.fromkeys(monitor.pairs[0].findings, cost), tolerance or 0.01)
    assert story(state_of(monitor, tolerance=tolerance))["kind"] == kind


DARKER = {
    **{"feature": "input/brightness", "kind": "covariate", "family": "brightness", "since": 1},
    **{"stream": "target", "against": "train", "effect_size": -5.3},
    "explanation": "Target images are darker: mean brightness 0.16 against 0.31 in training",
    "sentence": "Target images are much darker than training images",
    "difference": {
        **{"who": "Target images", "verb": "are", "how": "much darker"},
        "whom": "than training images",
    },
}


def story_of(*findings, **more):
    report = {"num_samples": {"train": 1000, "target": 297}, "findings": list(findings)}
    return story(_STATE({"v": 1, "report": report, **more}))


def test_there_is_one_thing_to_do_about_darker_images():
    summary = story_of({**DARKER, "cost": 0.06, "cost_interval": [0.04, 0.08]})
    assert summary["kind"] == "act" and summary["short"] == "much darker"
    assert summary["todo"] == "Let augmentation make training look like the target:"
    assert summary["code"] == 'guard = sg.ShiftGuard(target_data=target, adapt="augmentation")'
    assert " or " not in summary["todo"]
    assert any("the mistake is in the target" in reason for reason in summary["why"])


@pytest.mark.parametrize(
    ("now", "words", "short"),
    [
        (0.2, "augmentation makes training look alike.", "much darker; made up for"),
        (3.0, "augmentation makes up for a part of it.", "much darker; partly made up for"),
        (5.7, "augmentation has not made up for it so far.", "much darker"),
    ],
)
def test_the_headline_of_an_adapted_run_says_what_is_left(now, words, short):
    left = {"before": ["noise_flat", 5.8], "now": ["noise", now]}
    summary = story_of(DARKER, adapts=True, left=left)
    assert summary["what"] == f"Target images are much darker than training images; {words}"
    assert (summary["kind"], summary["short"]) == ("look", short)
    assert summary["left"] is None  # the two sizes belong to two features
    assert summary["todo"] and summary["why"][0].startswith(
        "Whether the adaptation raised accuracy is not known."
    )


def test_what_is_left_is_told_of_the_attribute_that_the_headline_names():
    left = {"before": ["noise_flat", 9.2], "now": ["noise", 1.7]}
    summary = story_of(DARKER, adapts=True, left={**left, "by_name": {"brightness": [5.7, 1.6]}})
    assert summary["left"] == [["brightness", 5.7], ["brightness", 1.6]]
    [fact] = adaptation_answer(_STATE({"v": 1, "adapts": True}), "", summary["left"])["facts"]
    assert fact[0] == "5.7 \u2192 1.6" and fact[1].startswith(
        "difference in brightness in standard"
    )


def test_a_stream_that_changed_in_the_middle_of_the_fit_is_looked_at_first():
    one = {**DARKER, "stream": "validation", "cost": 0.06, "cost_interval": [0.04, 0.08]}
    changed = {**one, "against": "the first epoch", "since": 4}
    summary = story_of({**one, "since": 4}, changed)
    assert summary["todo"] == (
        "First find out what changed in the validation pipeline at epoch 4. If validation is right "
        "as it is, let augmentation make training look like validation:"
    )
    summary = story_of({**one, "since": 4}, {**changed, "until": 6})
    assert summary["todo"] == "Let augmentation make training look like validation:"


def test_augmentation_towards_validation_is_judged_by_its_accuracy():
    """A cost that is surely above 0 stays urgent, even if adaptation is on."""
    one = {**DARKER, "stream": "validation", "cost": 0.06, "cost_interval": [0.04, 0.08]}
    summary = story_of(one, adapts=True, left={"before": ["noise", 5.8], "now": ["noise", 0.2]})
    assert (summary["kind"], summary["code"], summary["cost"]) == ("act", None, 0.06)
    assert "Compare the validation accuracy" in summary["todo"]


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


def test_the_band_of_an_adapted_run_says_whether_it_helped_and_what_is_still_lost():
    summary = story_of(DARKER, adapts=True, worth=ALONE, num_samples={"target": 297})
    assert "raised accuracy is not known. The accuracy on the target is 84 %" in summary["why"][0]
    assert summary["todo"].startswith("Fit once more without adapt=")
    assert (summary["cost"], summary["cost_words"]) == (
        pytest.approx(0.12),
        "estimated on the target",
    )
    assert summary["cost_interval"] == pytest.approx([0.08, 0.16])


def test_of_an_adapted_run_without_numbers_only_the_adaptation_is_told():
    for left in (None, {"before": ["noise"], "now": 3}, {"before": None, "now": None}):
        summary = story_of(DARKER, adapts=True, left=left)
        assert summary["what"].endswith("; adaptation is on.") and summary["left"] is None


def test_findings_of_one_kind_are_told_in_one_sentence():
    noisier = {**DARKER, "feature": "input/noise", "family": "noise"}
    noisier["difference"] = {**DARKER["difference"], "how": "noisier"}
    other = {**DARKER, "difference": {**DARKER["difference"], "verb": "vary", "how": "more in hue"}}
    summary = story_of(DARKER, noisier, other)
    assert summary["what"] == "Target images are much darker and noisier than training images."
    damaged = {**DARKER, "difference": {**DARKER["difference"], "how": None}}
    assert story_of(DARKER, damaged)["short"] == "much darker"
    summary = story_of(other)
    assert summary["what"] == "Target images vary more in hue than training images."
    assert summary["short"] == "vary more in hue"


@pytest.mark.parametrize(
    ("low", "kind", "words"), [(0.03, "act", None), (-0.01, "look", "unclear")]
)
def test_a_cost_decides(monitor, rng, low, kind, words):
    compared(monitor, rng, shift=2)
    cost = Cost(0.04, (low, 0.08 - low), 500)
    monitor.price(*PAIR, dict.fromkeys(monitor.pairs[0].findings, cost), 0.01)
    summary = story(state_of(monitor))
    assert (summary["kind"], summary["cost"], summary["cost_words"]) == (kind, 0.04, words)
    assert summary["cost_interval"] == pytest.approx([low, 0.08 - low])


def test_a_small_estimate_whose_interval_exceeds_the_tolerance_is_to_be_looked_at(monitor, rng):
    compared(monitor, rng, classes=(2, 3))
    cost = Cost(-0.006, (-0.139, 0.127), 241)
    monitor.price(*PAIR, dict.fromkeys(monitor.pairs[0].findings, cost), 0.01)
    assert not monitor.report().shifted
    summary = story(state_of(monitor))
    assert (summary["kind"], summary["cost_words"], summary["since"]) == ("look", "unclear", 2)
    assert summary["what"].endswith(" than training; what that costs is unclear.")
    assert summary["short"].endswith("; cost unclear") and "stratify" in summary["code"]
    assert summary["why"][0] == (
        "The difference is certain, its cost is not: about 17,000 labelled samples would tell."
    )


def test_a_small_cost_is_fine(monitor, rng):
    compared(monitor, rng, shift=2)
    cost = Cost(0.002, (-0.004, 0.008), 500)
    monitor.price(*PAIR, dict.fromkeys(monitor.pairs[0].findings, cost), 0.01)
    summary = story(state_of(monitor))
    assert (summary["kind"], summary["cost_words"], summary["since"]) == (
        "fine",
        "within tolerance",
        2,
    )
    assert summary["what"].endswith(" than training samples; its cost is within tolerance.")


def test_a_class_mix_is_named_by_its_classes(monitor, rng):
    summary = story(state_of(compared(monitor, rng, classes=(2, 3))))
    assert summary["short"].startswith("more of class") and summary["about"] == ["label", "label"]
    assert summary["what"].endswith("than training.") and "stratify" in summary["code"]


def test_a_question_waits_for_augmentation_or_for_the_cost(monitor, rng):
    compared(monitor, rng, shift=2)
    monitor.mark_open(*PAIR, lambda finding: True)
    summary = story(state_of(monitor))
    assert summary["what"].endswith("than training samples; whether it harms is not known yet.")
    assert "whether it is augmentation or costs accuracy" in summary["todo"]


def test_whether_a_finding_matters_is_what_the_package_says(monitor, rng):
    compared(monitor, rng, shift=2)
    [one, *_] = monitor.report().findings
    priced = one.with_cost(Cost(0.04, (0.02, 0.06), 500), 0.01)
    for changed in (
        one,
        replace(one, negligible=True),
        replace(one, acknowledged="known"),
        replace(one, expected=True),
        replace(one, is_question=True),
        replace(one, harmless=True),
        replace(priced, expected=True),
        one.with_cost(Cost(0.04, (-0.02, 0.1), 500), 0.01),
    ):
        assert matters(plain(changed.to_dict())) == changed.matters


def mismatch(**more):
    one = {"expected": {"mode": "tf"}, "observed": {"mode": "unit"}, "advice": "x = x * 2.0 - 1.0"}
    return {"status": "mismatch", "evidence": ["Because."], **one, **more}


@pytest.mark.parametrize("corrected", [{}, {"train": 1}, {"train": 1, "validation": 2}])
def test_wrong_preprocessing_is_open_until_every_stream_is_corrected(corrected):
    both = {"train": mismatch(), "validation": mismatch()}
    summary = story(_STATE({"v": 1, "diagnosis": both, "corrected": corrected}))
    if len(corrected) == 2:
        assert (summary["kind"], summary["since"]) == ("corrected", 1)
        assert summary["code"] == "model = guard.diagnosis.apply(model)"
    else:
        assert summary["kind"] == "act" and summary["code"] == "x = x * 2.0 - 1.0"
        assert "\u22121 to 1" in summary["what"] and summary["short"] == "wrong scale"


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


def test_nothing_is_no_story():
    assert story(None)["kind"] == "waiting"
    assert story(_STATE({"v": 1}))["what"] == "Nothing has been compared so far."


def test_texts_of_the_log_are_put_into_plain_words():
    assert in_plain_words("its band_1 lies above") == "its finest detail (2 pixels) lies above"
    for word in ("noise", "brightness", "a_b", "my_band_1"):
        assert in_plain_words(word) == word
