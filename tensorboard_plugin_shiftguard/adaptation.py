"""The answer to `/adaptation`: the curves of an adaptation, such as its strengths, by epoch."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import fitting, rounded
from tensorboard_plugin_shiftguard.columns import columns, last_in_column
from tensorboard_plugin_shiftguard.curves import numbers_by_epoch
from tensorboard_plugin_shiftguard.metadata import ADAPTATION_TAG, GAP_KINDS, MAX_ADAPTATION
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.words import attribute_in_words

MAX_BYTES = 900_000  # of all curves as JSON


def adaptation(run: RunReader) -> dict[str, Any]:
    """Returns the curves of a run's adaptation: `[step, value]` pairs at up to 250 steps."""
    series: list[list[Any]] = []
    for name, points in run.adaptation().items():
        steps = np.array([point.step for point in points], np.int64)
        chosen = last_in_column(steps, columns([steps]))
        curve = [[points[i].step, _value(points[i].value)] for i in chosen if i >= 0]
        series.append([name, curve])
    series += map(list, numbers_by_epoch(run, ADAPTATION_TAG, MAX_ADAPTATION).items())
    series = [[checks.name(_shown(name)), _signed(name, curve)] for name, curve in series]
    return {"series": dict(fitting(series, MAX_BYTES)), "problems": run.problems}


def _shown(name: str) -> str:
    """Returns the name of a curve; the name of an attribute in it is put into plain words."""
    kind, _, about = name.partition("/")
    return f"{kind}/{attribute_in_words(about)}" if kind in GAP_KINDS else name


def _value(value: Any) -> float | None:
    return rounded(value) if checks.number(value) is not None else None


def _signed(name: str, curve: list[list[Any]]) -> list[list[Any]]:
    """Returns the curve of an attribute's gap as target minus training, as in the heatmap.

    The log holds training minus target. Other curves are returned as they are.
    """
    if name.partition("/")[0] not in GAP_KINDS:
        return curve
    return [[step, None if value is None else -value] for step, value in curve]
