"""The list of runs."""

from importlib import metadata
from typing import Any

from tensorboard_plugin_shiftguard.answers import Unreadable, fitting
from tensorboard_plugin_shiftguard.reading import Log
from tensorboard_plugin_shiftguard.run_log import Point
from tensorboard_plugin_shiftguard.statements import STATE_TAG, read_state

MAX_RUNS = 500
MAX_RUN_BYTES = 900_000
OWN_RUN = "shiftguard"


def shown_name(run: str) -> str:
    """The name of a run without the sub-run that keras_shiftguard writes to.

    >>> shown_name("first/shiftguard"), shown_name("shiftguard"), shown_name("second")
    ('first', '.', 'second')
    """
    if run == OWN_RUN:
        return "."
    return run.removesuffix(f"/{OWN_RUN}")


def version() -> str:
    """Of the wheel that this came in; without importing it, and so Keras."""
    try:
        return metadata.version("keras-shiftguard")
    except metadata.PackageNotFoundError:
        return "unknown"


def list_runs(log: Log, version: str) -> dict[str, Any]:
    """The runs with data of ours, sorted by name."""
    found = log.runs()
    everything = len(log.run_names())
    points = log.last_points(found[:MAX_RUNS], STATE_TAG)
    entries = [_entry(run.name, points.get(run.name)) for run in found[:MAX_RUNS]]
    entries = fitting(sorted(entries, key=lambda entry: entry["name"]), MAX_RUN_BYTES)
    return {
        "v": 1,
        "version": version,
        "runs": entries,
        "more": len(found) - len(entries),
        "other_runs": max(everything - len(found), 0),
    }


def _entry(run: str, point: Point | None) -> dict[str, Any]:
    looks = None
    if point is not None:
        try:
            looks = read_state(point)["looks"]
        except Unreadable:
            pass  # the overview of the run tells why
    return {
        "id": run,
        "name": shown_name(run),
        "updated": point.wall if point else None,
        "last_step": point.step if point else None,
        "looks": looks,
    }
