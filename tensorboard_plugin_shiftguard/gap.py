"""The response of `/gap`: the latest accuracy-gap table that `explain_gap` wrote into a run."""

from typing import Any

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable
from tensorboard_plugin_shiftguard.checks import flag, items, name, number, record, sentence, vector
from tensorboard_plugin_shiftguard.metadata import GAP_SCHEMA, GAP_TAG
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.statements import verdict, words_of

MAX_ROWS = 20
MAX_NOTES = 20

# The checks of a row and of the whole table.
_ROW = record(
    cause=name,
    points=number,
    interval=vector(2),
    accuracy=number,
    kind=checks.one_of("removed", "estimated", "rest"),
    detail=sentence,
    repair=sentence,
)
_GAP = record(
    accuracy=number,
    reference_accuracy=number,
    beyond_sampling=flag,
    reference=name,
    estimated=flag,
    headline=sentence,
    rows=items(_ROW, MAX_ROWS),
    notes=items(sentence, MAX_NOTES),
    doubt=sentence,
    verdict=verdict,
)


def gap(run: RunReader) -> dict[str, Any]:
    """Returns the latest table of a run; `"gap"` is None if there is none or it is unreadable."""
    return {"gap": latest_gap(run), "problems": run.problems}


def latest_gap(run: RunReader) -> dict[str, Any] | None:
    """Returns the latest table of a run; None if there is none or it is unreadable."""
    points = run.points([GAP_TAG], max_points=1)[GAP_TAG]
    try:
        return read_gap(points[-1]) if points else None
    except Unreadable as error:
        run.add_problem(GAP_TAG, str(error))
        return None


def read_gap(point: Point) -> dict[str, Any]:
    """Returns the table of a point, with every field checked, and when it was written as `"made"`.

    Raises:
        Unreadable: If the point holds no such table. The message is a predicate about the tag.
    """
    table: dict[str, Any] = _GAP(checks.versioned(words_of(point.value), GAP_SCHEMA))
    if table["accuracy"] is None or table["reference_accuracy"] is None:
        raise Unreadable("lacks an accuracy")
    rows = [row for row in table["rows"] if row["points"] is not None and row["cause"]]
    return {**table, "rows": rows, "made": point.wall}
