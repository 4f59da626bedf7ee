"""The answer to `/curves`: what Keras logged at each epoch, such as accuracy and loss."""

from typing import Any

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable, fitting, rounded
from tensorboard_plugin_shiftguard.columns import even
from tensorboard_plugin_shiftguard.metadata import CURVES_TAG, MAX_CURVES
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.statements import words_of

MAX_BYTES = 900_000  # of all curves as JSON


def curves(run: RunReader) -> dict[str, Any]:
    """Returns the curves of a run by name, each as a list of `[step, value]` at up to 250 steps."""
    series = numbers_by_epoch(run, CURVES_TAG, MAX_CURVES)
    return {"series": dict(fitting(list(series.items()), MAX_BYTES)), "problems": run.problems}


def numbers_by_epoch(run: RunReader, tag: str, limit: int) -> dict[str, list[list[float | None]]]:
    """Returns the numbers of a series by name, each as `[step, value]` at up to 250 steps.

    Args:
        run: The run.
        tag: Tag of the series. Each point is a JSON object that maps names to numbers.
        limit: Largest number of names that are read of a point.
    """
    logged = checks.mapping(checks.number, limit)
    series: dict[str, list[list[float | None]]] = {}
    for point in thinned(run.points([tag])[tag]):
        try:
            found = logged(checks.parsed(words_of(point.value)))
        except Unreadable as error:
            run.add_problem(tag, f"at step {point.step} {error}")
            continue
        for name, value in found.items():
            series.setdefault(name, []).append([point.step, rounded(value)])
    return series


def thinned(points: list[Point]) -> list[Point]:
    """Returns all points of a curve, or an even selection of 250 with the first and the last."""
    return [points[i] for i in even(len(points))]
