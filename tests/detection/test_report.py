"""The content, the order and the text of reports."""

import re
from dataclasses import replace
from html import unescape

import pytest
from made_findings import DARKER

from keras_shiftguard.detection.finding import by_severity
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.detection.words.said import Said


def finding(feature="input/brightness", effect=1.0, **changes):
    said = Said("Validation images are darker", f"effect size {effect}")
    found = replace(DARKER, feature=feature, effect_size=effect, said=said)
    return replace(found, **changes)


def test_what_matters_comes_first_then_the_larger_effect():
    small, large = finding("a", 0.2), finding("b", -3.0)
    expected, tiny = finding("c", 9.0, expected=True), finding("d", 0.01, negligible=True)
    assert by_severity([tiny, expected, small, large]) == (large, small, expected, tiny)


def test_the_text_has_the_verdict_first_and_at_most_five_findings():
    report = ShiftReport(
        tuple(finding(f"input/{i}", 7.0 - i) for i in range(7)),
        notes=("labels are in one stream only",),
        num_samples={"validation": 1200, "train": 5000},
    )
    lines = str(report).splitlines()
    assert lines[0].startswith("ShiftGuard: shift found, validation against train: covariate shift")
    assert sum(line.startswith("  - ") for line in lines) == 5
    assert lines[1] == "  - Validation images are darker: effect size 7.0, since epoch 3."
    assert "2 more" in lines[6] and lines[7] == "  note: labels are in one stream only"


FEW = ("not enough samples yet (7 of 20)",)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (ShiftReport(), "nothing was compared"),
        (ShiftReport(num_samples={"a": 500, "b": 500}), "no shift found (samples: a 500, b 500)"),
        (ShiftReport((), FEW, num_samples={"a": 7, "b": 7}), "too few samples to tell"),
        (ShiftReport(num_samples={"a": 7, "b": 7}), "no shift found"),
        (ShiftReport((), FEW, num_samples={"a": 20}), "no shift found"),
        (ShiftReport((finding(negligible=True),), num_samples={"a": 9}), "no shift that matters"),
    ],
)
def test_verdicts_without_a_shift(report, verdict):
    assert verdict in str(report).splitlines()[0]


def test_what_is_acknowledged_stays_in_the_report_and_is_no_shift():
    report = ShiftReport(findings=(finding(), finding("labels", kind="label", family="label")))
    known = report.acknowledge("brightness", "validation", "the new camera")
    unexplained = report.acknowledge("brightness", reason="")
    assert [each.acknowledged for each in unexplained.findings] == ["", "known"]
    assert known.shifted and known.kinds == ("label",)
    quiet = known.acknowledge("labels")
    assert not quiet.shifted and len(quiet.findings) == 2
    assert "no shift that matters" in str(quiet) and "(acknowledged: the new camera)" in str(quiet)
    assert report.acknowledge("brightness", "train").kinds == report.kinds  # another stream
    assert report.acknowledge("input/brightness") == report.acknowledge("brightness")


def test_the_notebook_shows_the_verdict_and_escapes_it():
    report = ShiftReport(findings=(finding("<script>", said=Said("a < b & c")),))
    shown = report._repr_html_()
    document = unescape(re.search(r'srcdoc="([^"]*)"', shown)[1])
    assert "A &lt; b &amp; c." in document and "<script" not in document
    # A viewer that drops frames shows the text inside the `iframe` element.
    assert unescape(shown.split(">", 1)[1].removesuffix("</iframe>")) == str(verdict_of(report))
