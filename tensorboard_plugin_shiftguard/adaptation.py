"""The answer to `/adaptation`: the curves of an adaptation, such as its strengths, by epoch."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import fitting, rounded
from tensorboard_plugin_shiftguard.columns import columns, last_in_column
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.words import attribute_in_words

MAX_BYTES = 900_000  # of all curves as JSON
DIFFERENCES = ("shift", "shift_before")  # curves of attributes, with and without augmentation


def adaptation(run: RunReader) -> dict[str, Any]:
    """Returns the curves of a run, each as a list of `[step, value]` at up to 250 steps."""
    series = []
    for name, points in run.adaptation().items():
        steps = np.array([point.step for point in points], np.int64)
        chosen = last_in_column(steps, columns([steps]))
        # The log holds training minus target. The tab shows target minus training, as the heatmap
        # does.
        sign = -1 if name.partition("/")[0] in DIFFERENCES else 1
        curve = [[points[i].step, _value(points[i].value, sign)] for i in chosen if i >= 0]
        series.append([checks.name(_shown(name)), curve])
    return {"series": dict(fitting(series, MAX_BYTES)), "problems": run.problems}


def _shown(name: str) -> str:
    """Returns the name of a curve, with the attribute that it is about in plain words."""
    kind, _, about = name.partition("/")
    return f"{kind}/{attribute_in_words(about)}" if kind in DIFFERENCES else name


def _value(value: Any, sign: int) -> float | None:
    return rounded(sign * value) if checks.number(value) is not None else None
