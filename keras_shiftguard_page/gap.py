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
    repairs: dict[str, list[str]] = {}
    for row in rows:
        # Without labels, the accuracy is estimated from the model's confidence. So a wrong input
        # that makes the model more confident has negative points.
        is_wrong = row["points"] > 0 or (gap["estimated"] and row["kind"] == "removed")
        if row["repair"] and is_wrong:
            repairs.setdefault(row["repair"], []).append(row["cause"])
    section = Section(
        "Where the accuracy went",
        f"{gap['num_samples']:,} samples",
        charts=(_waterfall(gap),) if rows else (),
        tables=table(
            "Cause|Points|95 % interval|Accuracy without it|How it is known|What it is",
            [_row(row) for row in rows],
            "Points|95 % interval|Accuracy without it",
            MAX_ROWS,
        ),
        sentences=tuple(sentence(text) for text in [gap["headline"], *gap["notes"][:MAX_ROWS]]),
        codes=tuple(
            (f"To repair {' and '.join(causes)}", line)
            for line, causes in list(repairs.items())[:MAX_ROWS]
        ),
    )
    return [section]


def _waterfall(gap: Mapping[str, Any]) -> Rows:
    rows = gap["rows"][:MAX_ROWS]
    steps = [(row["cause"], -row["points"], points(-row["points"])) for row in rows]
    return waterfall(
        "From the expected accuracy down to the measured one",
        ("expected", gap["reference_accuracy"], percent(gap["reference_accuracy"])),
        steps,
        ("measured", gap["accuracy"], percent(gap["accuracy"])),
    )


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    how = {"removed": "removed", "estimated": "estimated", "rest": "what is left"}
    return (
        str(row["cause"]),
        points(row["points"]),
        interval(row["interval"]),
        percent(row["accuracy"]),
        how.get(row["kind"], str(row["kind"])),
        sentence(row["detail"]),
    )
