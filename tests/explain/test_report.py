"""The text, JSON and log of a `GapReport`."""

import json
from dataclasses import replace

import pytest

from keras_shiftguard.explain.report import MAX_LINES, GapReport, GapRow


def row(cause, points, kind="removed", **more):
    return GapRow(cause, points, (points - 0.01, points + 0.01), 0.5 + points, kind, **more)


def report(rows, interval=(0.05, 0.3), **more):
    gap = sum(each.points for each in rows)
    arguments = {"reference": "the reference data", "num_samples": 2000, **more}
    return GapReport(tuple(rows), 0.5, 0.5 + gap, interval, **arguments)


def test_a_gap_reads_as_a_table():
    found = report(
        [
            row("preprocessing", 0.2, detail="fed unit, expects raw", repair="x = x * 255"),
            row("unexplained", -0.01, "rest"),
        ]
    )
    assert str(found).splitlines() == [
        "Accuracy 50.0 % is 19.0 points below 69.0 % (the reference data); "
        "95 % interval of the gap: 5.0 to 30.0 points, 2,000 samples.",
        "    20.0  [ 19.0,  21.0]  preprocessing (without it 70.0 %): fed unit, expects raw",
        "    -1.0  [ -2.0,   0.0]  unexplained",
        "  To repair preprocessing: x = x * 255",
    ]


@pytest.mark.parametrize(
    ("cause", "end"),
    [
        (row("column order", 0.03), ", but column order costs 3.0 points (between 2.0 and 4.0"),
        (row("column order", 0.005), "."),
        (row("covariate shift", 0.03, "estimated"), "."),
    ],
)
def test_no_gap_is_said_with_a_cause_that_surely_costs_something(cause, end):
    found = report([cause, row("unexplained", -0.02, "rest")], interval=(-0.01, 0.03))
    first = str(found).partition("\n")[0]
    assert first.startswith("No gap beyond sampling: accuracy 50.0 % against ")
    assert f"2,000 samples{end}" in first and not found.beyond_sampling


def test_an_estimate_of_no_gap_under_a_shift_is_unclear():
    shift = "Data images are much noisier than reference images."
    rows = [row("unexplained", 0.0, "rest")]
    found = report(rows, interval=(-0.01, 0.01), estimated=True, doubt=shift)
    assert str(found).startswith("Unclear whether there is a gap") and shift in str(found)
    assert found.to_dict()["doubt"] == shift
    # A wrong input must be repaired even if it makes the model more confident.
    wrong = row("preprocessing", -0.2, repair="x = x / 255")
    assert "To repair preprocessing: x = x / 255" in str(replace(found, rows=(wrong, *rows)))


@pytest.mark.parametrize("number", [1, 12])
def test_ten_lines_at_most_and_the_rest_is_added_up(number):
    rows = [row(f"cause {i}", 0.1, repair=f"x = {i}" if i < 3 else "") for i in range(number)]
    text = str(report([*rows, row("unexplained", 0.0, "rest")], notes=("a", "b", "c")))
    lines = text.splitlines()
    assert len(lines) <= MAX_LINES
    assert sum("unexplained" in line for line in lines) == 1
    shown = [line for line in lines if line[4:8].strip().replace(".", "").isdigit()]
    total = sum(float(line.split()[0]) for line in shown)
    assert total == pytest.approx(10 * number, abs=0.1)


def test_a_directory_gets_the_table_and_json(tmp_path):
    found = report([row("preprocessing", 0.1), row("unexplained", 0.01, "rest")])
    found.write(tmp_path)
    found.write(tmp_path)  # writing twice is no error
    written = json.loads((tmp_path / "gap.json").read_text())
    told = written.pop("verdict")
    assert written.pop("v") == 1 and written == json.loads(json.dumps(found.to_dict()))
    assert told["state"] == "act" and told == json.loads((tmp_path / "verdict.json").read_text())
    assert len(list((tmp_path / "shiftguard").iterdir())) == 2
