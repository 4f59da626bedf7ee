"""The answer to `/adaptation`: the curves of an adaptation, such as its strengths, by epoch."""

from typing import Any

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import fitting, rounded
from tensorboard_plugin_shiftguard.curves import numbers_by_epoch, thinned
from tensorboard_plugin_shiftguard.metadata import ADAPTATION_TAG, GAP_KINDS, MAX_ADAPTATION
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.words import attribute_in_words

MAX_BYTES = 900_000  # of all curves as JSON


def adaptation(run: RunReader) -> dict[str, Any]:
    """Returns the curves of a run's adaptation: `[step, value]` pairs at up to 250 steps."""
    series: list[tuple[str, list[list[Any]]]] = [
        (name, [[point.step, _value(point.value)] for point in thinned(points)])
        for name, points in run.adaptation().items()
    ]
    series += numbers_by_epoch(run, ADAPTATION_TAG, MAX_ADAPTATION).items()
    shown = [_shown(name, curve) for name, curve in series]
    return {"series": dict(fitting(shown, MAX_BYTES)), "problems": run.problems}


def _value(value: Any) -> float | None:
    return rounded(value) if checks.number(value) is not None else None


def _shown(name: str, curve: list[list[Any]]) -> tuple[str, list[list[Any]]]:
    """Returns a curve with its name in plain words.

    The log holds the gap of an attribute as training minus target. It is shown as target minus
    training, as in the heatmap.
    """
    kind, _, about = name.partition("/")
    if kind not in GAP_KINDS:
        return checks.name(name), curve
    name = f"{kind}/{attribute_in_words(about)}"
    return checks.name(name), [[step, value and -value] for step, value in curve]
