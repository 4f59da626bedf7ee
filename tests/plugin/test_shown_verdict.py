"""The verdict that the tab shows, from the state and the accuracy gap in a log."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from plugin.test_gap import REPORT, ROWS

from keras_shiftguard import GapReport
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.detection.words.attribute_words import LABELS
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.log.gap_log import as_shown
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.sketches import attributes
from tensorboard_plugin_shiftguard import words
from tensorboard_plugin_shiftguard.gap import read_gap
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.statements import read_state
from tensorboard_plugin_shiftguard.verdict import shown_verdict
from tensorboard_plugin_shiftguard.words import ATTRIBUTES, CAUSES, described, in_plain_words


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


def test_a_gap_alone_has_a_verdict():
    shown = shown_verdict(None, gap_of(REPORT))
    assert (shown["kind"], shown["step"], shown["is_code"]) == ("act", "x_val = x_val * 2", True)
    assert shown["cause"] == "Fed unit." and shown["cost"] == 0.15
    small = GapReport(ROWS[2:], 0.81, 0.8, (-0.01, 0.03), num_samples=50)
    assert shown_verdict(None, gap_of(small))["kind"] == "fine"
    rest = replace(ROWS[2], points=0.2, sure=True)
    behind = GapReport((rest,), 0.8, 0.6, (0.1, 0.3), num_samples=50)
    assert shown_verdict(None, gap_of(behind))["kind"] == "look"


def test_the_verdict_that_was_written_last_is_shown():
    verdict = verdict_of(ShiftReport((), num_samples={"train": 500, "validation": 300}))
    run = read_state(as_point({"v": 1, "verdict": verdict.to_dict()}))
    assert shown_verdict(run, gap_of(REPORT), written=5.0)["kind"] == "act"
    assert shown_verdict(run, gap_of(REPORT), written=15.0)["kind"] == "fine"


def gap_of(report):
    content = {**as_shown(report.to_dict()), "v": 1, "verdict": report._page_parts()["verdict"]}
    return read_gap(as_point(content, written=10.0))


def as_point(content, written=0.0):
    return Point(0, written, np.array(json.dumps(plain(content)).encode(), dtype=object))


def test_a_log_of_an_older_version_opens_with_a_line():
    old = {"v": 1, "report": {"findings": []}, "verdict": {"shift": "ShiftGuard: shift found"}}
    shown = shown_verdict(read_state(as_point(old)))
    assert shown["kind"] == "waiting" and shown["cause"].startswith("This log holds no verdict")
    gap = {**gap_of(REPORT), "verdict": None}
    assert shown_verdict(None, gap)["cause"].startswith("This log holds no verdict")


def test_without_data_nothing_was_compared():
    assert shown_verdict(None)["kind"] == "waiting"
    shown = shown_verdict(read_state(as_point({"v": 1})))
    assert shown["cause"] == "Nothing has been compared so far."


def test_texts_of_the_log_are_put_into_plain_words():
    assert in_plain_words("its band_1 lies above") == "its finest detail (2 pixels) lies above"
    for word in ("noise", "brightness", "a_b", "my_band_1"):
        assert in_plain_words(word) == word
