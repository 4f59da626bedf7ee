"""The response of `/runs`: the list of runs."""

from contextlib import suppress
from typing import Any

from tensorboard_plugin_shiftguard.answers import Unreadable, fitting
from tensorboard_plugin_shiftguard.gap import read_gap
from tensorboard_plugin_shiftguard.metadata import GAP_TAG, STATE_TAG
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.reading import Log
from tensorboard_plugin_shiftguard.run_log import all_runs
from tensorboard_plugin_shiftguard.statements import read_state
from tensorboard_plugin_shiftguard.verdict import shown_verdict

MAX_RUNS = 500  # in the list
MAX_RUN_BYTES = 900_000  # of the list as JSON


def list_runs(log: Log) -> dict[str, Any]:
    """Returns the runs that have data of this plugin, sorted by name, each with its state."""
    found = all_runs(log)
    num_all = len(log.run_names())
    shown = found[:MAX_RUNS]
    points = log.last_points([run.name for run in shown if STATE_TAG in run.contents], STATE_TAG)
    gaps = log.last_points([run.name for run in shown if GAP_TAG in run.contents], GAP_TAG)
    entries = [_entry(run.name, points.get(run.name), gaps.get(run.name)) for run in shown]
    entries = fitting(entries, MAX_RUN_BYTES)
    return {
        "runs": entries,
        "more": len(found) - len(entries),
        "other_runs": max(num_all - len(found), 0),
    }


def _entry(run: str, point: Point | None, gap_point: Point | None) -> dict[str, Any]:
    """Returns a run as JSON.

    `point` and `gap_point` are the last points of the run's state and of its accuracy gap.
    """
    state = gap = None
    # The overview of the run shows what is unreadable.
    with suppress(Unreadable):
        state = read_state(point) if point else None
    with suppress(Unreadable):
        gap = read_gap(gap_point) if gap_point else None
    told = shown_verdict(state, gap, point.wall if point else None)
    last = point or gap_point
    return {
        "id": run,
        "updated": last.wall if last else None,
        "last_step": point.step if point else None,
        "looks": state["looks"] if state else None,
        "kind": told["kind"],
        "short": told["short"],
    }
