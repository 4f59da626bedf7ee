"""The Shift tab shows the table of `explain_gap`, even if the run has no other data."""

import pytest
from plugin.logs import PROVIDERS, RawLog, as_json, opened

from keras_shiftguard import GapReport
from keras_shiftguard.detection.gap_row import GapRow

ROWS = (
    GapRow("input", "fed unit", 0.15, (0.1, 0.2), True, accuracy=0.75, step="x = x * 2"),
    GapRow("class mix", "more of class 3", 0.05, (0.01, 0.08), accuracy=0.8),
    GapRow("unexplained", "within chance", 0.01, (-0.01, 0.03), accuracy=0.81),
)
REPORT = GapReport(
    ROWS,
    0.81,
    0.6,
    (0.18, 0.24),
    against="the reference data",
    num_samples=2000,
    notes=("A note.",),
)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_what_is_written_is_what_the_tab_gets(tmp_path, kind):
    REPORT.write(tmp_path / "first")
    with opened(tmp_path, kind) as tab:
        found = tab.patient("gap", lambda answer: answer["gap"], run="first/shiftguard")["gap"]
        assert [row["cause"] for row in found["rows"]] == [row.kind for row in ROWS]
        assert [row["detail"] for row in found["rows"]] == [row.cause for row in ROWS]
        assert found["headline"] == str(REPORT).splitlines()[0]
        assert (found["reference_accuracy"], found["accuracy"]) == (0.81, 0.6)
        assert found["notes"] == ["A note."]
        # The run can be shown although there was no training in it.
        assert tab.ask("overview", run="first/shiftguard")["features"] == []


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
