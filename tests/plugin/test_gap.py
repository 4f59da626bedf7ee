"""The Shift tab shows the table of `explain_gap`, even if the run has no other data."""

import json

import pytest
from plugin.logs import PROVIDERS, RawLog, as_json, opened, write_small_run

from keras_shiftguard.explain.report import GapReport, GapRow

ROWS = (
    GapRow("preprocessing", 0.15, (0.1, 0.2), 0.75, "removed", "fed unit, expects tf", "x = x * 2"),
    GapRow("covariate shift", 0.05, (0.01, 0.08), 0.65, "estimated", "blur"),
    GapRow("unexplained", 0.01, (-0.01, 0.03), 0.61, "rest"),
)
REPORT = GapReport(ROWS, 0.6, 0.81, (0.18, 0.24), "the reference data", 2000, notes=("A note.",))


@pytest.mark.parametrize("kind", PROVIDERS)
def test_what_is_written_is_what_the_tab_gets(tmp_path, kind):
    REPORT.write(tmp_path / "first")
    with opened(tmp_path, kind) as tab:
        found = tab.patient("gap", lambda answer: answer["gap"], run="first/shiftguard")["gap"]
        assert [row["cause"] for row in found["rows"]] == [row.cause for row in ROWS]
        assert found["headline"] == str(REPORT).splitlines()[0]
        assert (found["reference_accuracy"], found["accuracy"]) == (0.81, 0.6)
        assert found["notes"] == ["A note."]
        # The run can be shown although there was no training in it.
        assert tab.ask("overview", run="first/shiftguard")["features"] == []


def test_the_latest_table_is_shown_and_a_fit_beside_it_stays(tmp_path):
    write_small_run(tmp_path / "shiftguard")
    REPORT.write(tmp_path)
    GapReport(ROWS[2:], 0.8, 0.81, (-0.01, 0.03), "published", 50).write(tmp_path)
    with opened(tmp_path) as tab:
        found = tab.ask("gap", run="shiftguard")["gap"]
        assert found["reference"] == "published" and not found["beyond_sampling"]
        assert len(tab.ask("overview", run="shiftguard")["steps"]) == 3


@pytest.mark.parametrize(
    "value",
    [
        b"\xff",
        as_json([1]),
        as_json({"v": 2}),
        as_json({"v": 1, "accuracy": 0.5}),
        as_json({"v": 1, "accuracy": "a", "reference_accuracy": 1e400}),
    ],
)
def test_a_hostile_table_is_told_and_not_drawn(tmp_path, value):
    with RawLog(tmp_path / "shiftguard") as log:
        log.add("shiftguard/gap", value, content={"v": 1})
    with opened(tmp_path) as tab:
        answer = tab.ask("gap", run="shiftguard")
        assert answer["gap"] is None and "shiftguard/gap is not shown" in answer["problems"][0]


def test_rows_that_are_none_are_left_out(tmp_path):
    content = json.loads(json.dumps({**REPORT.to_dict(), "v": 1}))
    content["rows"] += [3, {"cause": "x"}, {"points": 0.1}, {"cause": "y", "points": "z"}]
    with RawLog(tmp_path / "shiftguard") as log:
        log.add("shiftguard/gap", as_json(content), content={"v": 1})
    with opened(tmp_path) as tab:
        assert len(tab.ask("gap", run="shiftguard")["gap"]["rows"]) == len(ROWS)
