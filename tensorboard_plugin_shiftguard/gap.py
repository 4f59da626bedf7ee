"""The response of `/gap`: the latest accuracy-gap table that `explain_gap` wrote into a run."""

from typing import Any

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable
from tensorboard_plugin_shiftguard.checks import flag, items, name, number, record, sentence, vector
from tensorboard_plugin_shiftguard.metadata import GAP_SCHEMA, GAP_TAG
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.statements import VERDICT, checked_verdict, words_of

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
    v=checks.whole,
    accuracy=number,
    reference_accuracy=number,
    gap=number,
    interval=vector(2),
    beyond_sampling=flag,
    reference=name,
    num_samples=checks.whole,
    estimated=flag,
    headline=sentence,
    rows=items(_ROW, MAX_ROWS),
    notes=items(sentence, MAX_NOTES),
    doubt=sentence,
    verdict=VERDICT,
)


def gap(run: RunReader) -> dict[str, Any]:
    """Returns the latest table of a run; `"gap"` is None if there is none or it is unreadable."""
    return {"gap": latest_gap(run), "problems": run.problems}


def latest_gap(run: RunReader) -> dict[str, Any] | None:
    """Returns the latest table of a run; None if there is none or it is unreadable."""
    points = run.points([GAP_TAG], max_points=1)[GAP_TAG]
    try:
        return gap_at(points[-1]) if points else None
    except Unreadable as error:
        run.add_problem(GAP_TAG, error.message)
        return None


def gap_at(point: Point) -> dict[str, Any]:
    """Returns the table of a point, with the time when it was written as `"made"`.

    Raises:
        Unreadable: If the point holds no table.
    """
    return {**read_gap(words_of(point.value)), "made": point.wall}


def read_gap(text: bytes) -> dict[str, Any]:
    """Returns the table in a JSON text, with every field checked.

    Raises:
        Unreadable: If the text is not such a table. The message is a predicate about the tag.
    """
    content = _GAP(checks.parsed(text))
    if content is None:
        raise Unreadable("is no JSON object")
    if content["v"] != GAP_SCHEMA:
        raise Unreadable(f"has layout {content['v']}; this tab reads layout {GAP_SCHEMA}")
    if content["accuracy"] is None or content["reference_accuracy"] is None:
        raise Unreadable("lacks an accuracy")
    content["verdict"] = checked_verdict(content["verdict"])
    content["rows"] = [row for row in content["rows"] if row["points"] is not None and row["cause"]]
    return dict(content)
