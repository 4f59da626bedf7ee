"""The page content for a `GapReport`."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard_page.charts import Rows, waterfall
from keras_shiftguard_page.content import Section, table
from keras_shiftguard_page.words import interval, percent, points, sentence

MAX_ROWS = 40


def about_gap(gap: Mapping[str, Any]) -> list[Section]:
    """Returns the section for `GapReport.to_dict()`."""
    rows = gap["rows"]
    steps = [row for row in rows if row["step"] and row["sure"]][:MAX_ROWS]
    section = Section(
        "Where the accuracy went" if gap["metric"] == "accuracy" else "Where the loss comes from",
        f"{gap['num_samples']:,} labelled samples",
        charts=(_waterfall(gap),) if rows else (),
        tables=table(
            "Kind|Points|95 % interval|What it is|How sure",
            [_row(row) for row in rows],
            "Points|95 % interval",
            MAX_ROWS,
        ),
        sentences=tuple(sentence(text) for text in [gap["headline"], *gap["notes"][:MAX_ROWS]]),
        codes=tuple((sentence(row["cause"]), row["step"]) for row in steps),
    )
    return [section]


def _waterfall(gap: Mapping[str, Any]) -> Rows:
    is_accuracy = gap["metric"] == "accuracy"
    steps = [
        (row["kind"], -row["points"], points(-row["points"])) for row in gap["rows"][:MAX_ROWS]
    ]
    ends = (gap["reference"], gap["measured"])
    if not is_accuracy:  # shares of the loss, from what it would be to what it is
        ends, steps = (1 - gap["gap"], 1.0), [(k, -p, points(-p)) for k, p, _ in steps]
    words = [percent(end) if is_accuracy else percent(end) for end in ends]
    return waterfall(
        f"From {gap['against']} to {gap['data']}",
        (str(gap["against"]), ends[0], words[0]),
        steps,
        (str(gap["data"]), ends[1], words[1]),
    )


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(row["kind"]),
        points(row["points"]),
        interval(row["interval"]),
        sentence(row["cause"]),
        "sure" if row["sure"] else "not sure",
    )
