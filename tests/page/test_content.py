"""The content of a page: state, sentence, figures and the line to paste; and hostile names."""

import json
import re
import time
from dataclasses import replace
from html import unescape

import pytest
from page.results import DARKER, NOISIER, UNIT, diagnosis, estimate, gap, report
from plugin.test_hostile import NASTY

import keras_shiftguard as sg
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.json_files import plain
from keras_shiftguard_page import page
from keras_shiftguard_page.assemble import MalformedData, assemble

HARMLESS = replace(DARKER, row=None, at_most=0.0, harmless=True)
UNCLEAR = replace(DARKER, row=None, at_most=0.061, is_question=True)
OPEN = replace(DARKER, row=None, is_question=True)
UNKNOWN = replace(DARKER, row=None)
OVER = replace(DARKER, since=1, until=3)
UNKNOWN_INPUT = sg.InputConvention("unknown", "unknown")
NOTHING = "nothing compared"
NO_ESTIMATE = sg.AccuracyEstimate(None, None, 0.8, {}, 40, reason="Too few.")


def said(result):
    return assemble(plain(result._page_parts()))


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (report(DARKER, NOISIER), "act"),
        (report(HARMLESS), "fine"),
        (report(UNCLEAR), "look"),
        (report(OPEN), "look"),
        (report(UNKNOWN), "look"),
        # A difference in preprocessing is always a mistake, whatever it costs.
        (report(replace(UNKNOWN, kind="preprocessing")), "act"),
        (report(OVER), "look"),
        (report(), "fine"),
        (sg.ShiftReport(), NOTHING),
        (diagnosis(), "act"),
        (diagnosis("ok"), "fine"),
        (diagnosis("unknown"), "look"),
        (replace(diagnosis("unknown"), expected=UNKNOWN_INPUT, num_samples=32), NOTHING),
        (sg.Diagnosis("unknown", UNKNOWN_INPUT, UNKNOWN_INPUT, advice="It takes none."), NOTHING),
        (replace(diagnosis("ok"), expected=UNIT, observed=UNIT, trained_here=True), "fine"),
        (gap(), "act"),
    ],
)
def test_the_band_says_word_for_word_what_the_verdict_says(result, state):
    told, band = plain(result._page_parts()["verdict"]), said(result).band
    assert band.state == told["state"] == state
    assert band.headline == told["cause"]
    assert (band.code if told["is_code"] else band.advice) == told["step"]
    facts = [told["cost_words"], told["since"] and f"since epoch {told['since']}"]
    assert [fact.figure for fact in band.facts] == [fact for fact in facts if fact]


@pytest.mark.parametrize(
    ("found", "state", "headline"),
    [
        (estimate(), "act", "Without labels, the accuracy is about 61.0 %, 20.0 points below"),
        (estimate(0.8, 0.85), "fine", "Without labels, the accuracy is about 80.0 %"),
        (NO_ESTIMATE, "look", "The accuracy without labels is not known."),
    ],
)
def test_the_band_of_an_estimate(found, state, headline):
    band = said(found).band
    assert band.state == state and band.headline.startswith(headline)


def test_the_figures_stand_in_the_table():
    [table] = said(report(DARKER, HARMLESS, OVER)).sections[0].tables
    assert table.rows[0][1:] == (
        "brightness",
        "since 8",
        "6.1 (4.4 to 7.9)",
        "\N{MINUS SIGN}1.4 (\N{MINUS SIGN}1.6 to \N{MINUS SIGN}1.2)",
        "1e\N{MINUS SIGN}30",
        "alarm",
    )
    assert table.rows[1][-1] == "costs at most 0.0 points of accuracy"
    assert table.rows[2][2] == "1 to 3"


def test_a_fit_that_is_adapted_says_what_it_gained():
    parts = report(DARKER)._page_parts()
    parts["adaptation"] = {"headline": "Training is augmented: noise 0.17.", "events": []}
    worth = {"after": "It helped.", "answer": "yes", "now": [0.84, 0.8, 0.88]}
    parts["adaptation"] |= {**worth, "earlier": [0.6, 0.5, 0.7], "since": 2}
    section = assemble(plain(parts)).sections[-1]
    said = ("It helped.", "Training is augmented: noise 0.17.")
    assert (section.title, section.sentences) == ("Adaptation", said)
    parts["verdict"]["adaptation"] = "It helped."  # the band then says it, so the section does not
    content = assemble(plain(parts))
    assert content.band.because.endswith("It helped.")
    assert content.sections[-1].sentences == said[1:]


def test_the_epochs_have_the_words_of_the_tab_and_a_row_for_each_cause():
    """A cause found against training gets no second row for the comparison with epoch 1."""
    columns = [replace(DARKER, feature=f"input/{column}") for column in range(12)]
    found = [DARKER, replace(NOISIER, feature="input/noise_flat"), *columns]
    found = [*(replace(each, against="the first epoch") for each in found[:2]), *found]
    known = {"effect": [0.0, 1.4], "mean": [0.1, 0.2], "against_mean": [0.1, 0.1]}
    features = [{**each.to_dict(), **known} for each in found]
    parts = {"report": report(*found).to_dict()}
    logs = {"categorical_accuracy": [0.5, 0.6]}
    parts["epochs"] = {"numbers": [1, 2], "logs": logs, "features": features}
    action = "noise widened: the target's noise_flat lies 5.8 standard deviations above training's"
    parts["adaptation"] = {"headline": "Training is augmented", "events": [action]}
    metric, heat, *means = assemble(plain(parts)).sections[0].charts
    assert metric.title == "Categorical accuracy"
    names = ["Darker", "Noise", *(f"column {column}" for column in range(8))]
    assert [row.name for row in heat.rows] == names
    assert {row.below for row in heat.rows} == {"validation against training"}
    assert [chart.title for chart in means][:2] == [
        "Mean of brightness",
        "Mean of noise in flat regions",
    ]
    features[0]["feature"] = "right/brightness"
    means = assemble(plain(parts)).sections[0].charts[2:]
    assert means[0].title == "Mean of brightness of right"
    text = page(plain(parts))
    assert "input/" not in text and "noise_flat" not in text and "noise in flat regions" in text


def test_a_corrected_run_is_not_shown_as_a_mismatch():
    told = verdict_of(diagnoses={"train": diagnosis()}, corrected={"train": 1})
    parts = {"diagnosis": {"train": diagnosis().to_dict()}, "verdict": told.to_dict()}
    band = assemble(plain(parts)).band
    assert band.state == "corrected" and band.code == "model = guard.diagnosis.apply(model)"
    assert "x * 2.0" not in page(plain(parts))  # this line would correct the input twice
    assert "Inside fit nothing is lost" in band.because


def test_a_gap_is_a_section_below_the_one_verdict():
    parts = {**report(UNCLEAR)._page_parts(), "gap": gap().to_dict()}
    content = assemble(plain(parts))
    assert content.band.headline.startswith("Validation images are")
    section = content.sections[-1]
    assert section.title == "Where the accuracy went"
    assert section.sentences[0].startswith("Accuracy 80.0 % on the data, 89.0 %")


def test_the_waterfall_leads_from_the_expected_accuracy_to_the_measured_one():
    [chart] = said(gap()).sections[0].charts
    first, *steps, last = (row.marks[0] for row in chart.rows)
    assert first.length == pytest.approx(steps[0].start + steps[0].length)
    for one, other in zip(steps, steps[1:], strict=False):
        assert other.start + other.length == pytest.approx(one.start)
    assert steps[-1].start == pytest.approx(last.length)


@pytest.mark.parametrize("result", [report(DARKER), diagnosis(), gap(), estimate()])
def test_a_page_is_written_or_returned(result, tmp_path):
    text = result.to_html()
    assert text.startswith("<!doctype html>")
    assert result.to_html(tmp_path / "new" / "page.html") is None
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == text
    # The page can be made from the JSON data alone, as in another process.
    assert page(json.loads(json.dumps(plain(result._dated_parts()), allow_nan=False))) == text
    assert time.strftime("%Y-%m-%d") in text
    for name in ("src", "href", "action"):
        assert not re.search(rf"\s{name}\s*=", text)
    with pytest.raises(OSError):
        result.to_html("/dev/null/page.html")


def texts_replaced(value, text):
    """Returns the data with a hostile text in place of every name and sentence."""
    if isinstance(value, dict):
        keep = ("status", "kind", "mode", "title")
        return {k: v if k in keep else texts_replaced(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [texts_replaced(item, text) for item in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("kind", ["report", "diagnosis", "gap", "estimate"])
def test_hostile_names_stay_text(kind, text):
    results = {"report": report(DARKER), "diagnosis": diagnosis()}
    results |= {"gap": gap(), "estimate": estimate()}
    parts = texts_replaced(plain(results[kind]._page_parts()), text)
    for name, value in (("diagnosis", {text: parts.get("diagnosis", {}).get("")}),):
        parts |= {name: value} if kind == name else {}
    shown = page(parts)
    tags = set(re.findall(r"<\s*/?\s*([a-z!]+[1-6]?)", shown.split("</style>")[1], re.IGNORECASE))
    assert tags <= set(
        "head body html main header footer b i span div p h1 h2 h3 dl dt dd code section small svg "
        "rect title path table thead tbody tr th td ul li".split()
    )
    visible = unescape(re.sub(r"<[^>]*>", " ", shown))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ufeff]", visible)


def test_data_of_another_form_is_said_to_be_malformed():
    with pytest.raises(MalformedData, match="not as expected"):
        page({"report": {"findings": 3}})
    assert not issubclass(MalformedData, BadInputError)  # the page does not import the library
