"""The answer to `/runs`: the list of runs."""

from importlib import metadata
from typing import Any

from tensorboard_plugin_shiftguard.answers import Unreadable, fitting
from tensorboard_plugin_shiftguard.metadata import RUN_NAME, STATE_TAG
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.reading import Log
from tensorboard_plugin_shiftguard.run_log import all_runs
from tensorboard_plugin_shiftguard.statements import read_state

MAX_RUNS = 500  # in the list
MAX_RUN_BYTES = 900_000  # of the list as JSON


def shown_name(run: str) -> str:
    """Returns the name of a run without the subdirectory that keras_shiftguard writes to.

    >>> shown_name("first/shiftguard"), shown_name("shiftguard"), shown_name("second")
    ('first', '.', 'second')
    """
    if run == RUN_NAME:
        return "."
    return run.removesuffix(f"/{RUN_NAME}")


def version() -> str:
    """Returns the version of the installed keras_shiftguard, without importing it."""
    try:
        return metadata.version("keras-shiftguard")
    except metadata.PackageNotFoundError:
        return "unknown"


def list_runs(log: Log, version: str) -> dict[str, Any]:
    """Returns the runs that have data of this plugin, sorted by name, with the last step of each.

    Args:
        log: The log.
        version: The version of keras_shiftguard.
    """
    found = all_runs(log)
    num_all = len(log.run_names())
    shown = found[:MAX_RUNS]
    points = log.last_points([run.name for run in shown if STATE_TAG in run.contents], STATE_TAG)
    entries = [_entry(run.name, points.get(run.name)) for run in shown]
    entries = fitting(sorted(entries, key=lambda entry: entry["name"]), MAX_RUN_BYTES)
    return {
        "v": 1,
        "version": version,
        "runs": entries,
        "more": len(found) - len(entries),
        "other_runs": max(num_all - len(found), 0),
    }


def _entry(run: str, point: Point | None) -> dict[str, Any]:
    """Returns a run as JSON; `point` is the last point of its state, or None."""
    looks = None
    if point is not None:
        try:
            looks = read_state(point)["looks"]
        except Unreadable:
            pass  # the overview of the run shows the problem
    return {
        "id": run,
        "name": shown_name(run),
        "updated": point.wall if point else None,
        "last_step": point.step if point else None,
        "looks": looks,
    }
