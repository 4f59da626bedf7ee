"""The story of a run, told from what the guard really writes."""

import json
from dataclasses import replace

import pytest
from plugin.test_gap import REPORT, ROWS
from shift_tab_log import numbers

from keras_shiftguard.detection.attribute_words import LABELS
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.explain.report import GapReport
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.statistics import attributes
from keras_shiftguard.statistics.batch import InputSpec
from tensorboard_plugin_shiftguard.gap import read_gap
from tensorboard_plugin_shiftguard.statements import _STATE
from tensorboard_plugin_shiftguard.story import matters, story
from tensorboard_plugin_shiftguard.words import ATTRIBUTES, CAUSES, described, in_plain_words

PAIR = ("validation", "train")


def state_of(monitor, **more):
    """The state that the guard writes, as the plugin reads it."""
    report = plain(monitor.report().to_dict())
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


def test_no_shift_is_fine(monitor, rng):
    told = story(state_of(compared(monitor, rng)))
    assert told["kind"] == "fine" and told["what"].startswith("Validation looks like training")


def test_a_shift_without_a_cost_is_to_be_looked_at(monitor, rng):
    told = story(state_of(compared(monitor, rng, shift=2)))
    assert (told["kind"], told["since"], told["cost"]) == ("look", 2, None)
    assert told["what"] == "Validation samples are higher in column 1 than training samples."
    assert told["short"] == "higher in column 1"
    [why] = told["why"]
    assert why.startswith(told["what"].split(" than")[0]) and "effect size" in why


@pytest.mark.parametrize(
    ("low", "kind", "words"), [(0.03, "act", None), (-0.01, "look", "not clear")]
)
def test_a_cost_decides(monitor, rng, low, kind, words):
    compared(monitor, rng, shift=2)
    cost = Cost(0.04, (low, 0.08 - low), 500)
    monitor.price(*PAIR, dict.fromkeys(monitor.pairs[0].findings, cost), 0.01)
    told = story(state_of(monitor))
    assert (told["kind"], told["cost"], told["cost_words"]) == (kind, 0.04, words)
    assert told["cost_interval"] == pytest.approx([low, 0.08 - low])


def test_what_adaptation_did_is_told_once_it_is_known(monitor, rng):
    report = plain(compared(monitor, rng, shift=1.0).report().to_dict())
    lead = report["findings"][0]
    lead["explanation"] = "Validation images are darker"

    def todo(**more):
        return story(_STATE({"v": 1, "report": report, "adapts": True, **more}))["todo"]

    assert todo() == "Adaptation is on: see below whether it helps."  # as in older logs
    worth = {"before": "Adaptation is likely to help: ...", "after": "It helped: ..."}
    assert todo(worth=worth) == "It helped: ..."


def test_a_small_cost_is_fine(monitor, rng):
    compared(monitor, rng, shift=2)
    cost = Cost(0.002, (-0.004, 0.008), 500)
    monitor.price(*PAIR, dict.fromkeys(monitor.pairs[0].findings, cost), 0.01)
    told = story(state_of(monitor))
    assert (told["kind"], told["cost_words"]) == ("fine", "within tolerance")


def test_a_class_mix_is_named_by_its_classes(monitor, rng):
    told = story(state_of(compared(monitor, rng, classes=(2, 3))))
    assert told["short"].startswith("more of class") and told["about"] == ["label", "label"]
    assert told["what"].endswith("than training.") and "stratify" in told["code"]


def test_a_question_waits_for_augmentation_or_for_the_cost(monitor, rng):
    compared(monitor, rng, shift=2)
    monitor.ask(*PAIR, lambda finding: True)
    told = story(state_of(monitor))
    assert told["what"].endswith("than training samples; whether it harms is not known yet.")
    assert "whether it is augmentation or costs accuracy" in told["todo"]


def test_whether_a_finding_matters_is_what_the_package_says(monitor, rng):
    compared(monitor, rng, shift=2)
    [one, *_] = monitor.report().findings
    priced = one.with_cost(Cost(0.04, (0.02, 0.06), 500, is_rough=True), 0.01)
    for changed in (
        one,
        replace(one, negligible=True),
        replace(one, acknowledged="known"),
        replace(one, expected=True),
        replace(one, is_question=True),
        replace(one, harmless=True),
        replace(priced, expected=True),
        replace(priced, expected=True, is_rough=False),
    ):
        assert matters(plain(changed.to_dict())) == changed.matters


def mismatch(**more):
    one = {"expected": {"mode": "tf"}, "observed": {"mode": "unit"}, "advice": "x = x * 2.0 - 1.0"}
    return {"status": "mismatch", "evidence": ["Because."], **one, **more}


@pytest.mark.parametrize("corrected", [{}, {"train": 1}, {"train": 1, "validation": 2}])
def test_wrong_preprocessing_is_open_until_every_stream_is_corrected(corrected):
    both = {"train": mismatch(), "validation": mismatch()}
    told = story(_STATE({"v": 1, "diagnosis": both, "corrected": corrected}))
    if len(corrected) == 2:
        assert (told["kind"], told["since"]) == ("corrected", 1)
        assert told["code"] == "model = guard.diagnosis.apply(model)"
    else:
        assert told["kind"] == "act" and told["code"] == "x = x * 2.0 - 1.0"
        assert "\u22121 to 1" in told["what"] and told["short"] == "wrong scale"


def test_a_gap_tells_its_largest_cause():
    told = story(None, gap_of(REPORT))
    assert (told["kind"], told["code"]) == ("act", "x = x * 2")
    assert "21.0 points below the reference data, 15.0 of them by wrong" in told["what"]


def test_a_gap_within_sampling_is_fine_and_one_without_a_cause_is_to_be_looked_at():
    small = GapReport(ROWS[2:], 0.8, 0.81, (-0.01, 0.03), "published", 50)
    assert story(None, gap_of(small))["kind"] == "fine"
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
