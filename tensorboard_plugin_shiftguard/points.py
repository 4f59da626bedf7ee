"""Points of a TensorBoard series, sorted by step."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tensorboard_plugin_shiftguard.checks import MAX_INTEGER


@dataclass(frozen=True)
class Point:
    """One point of a series.

    Args:
        step: Epoch, counted from 0.
        wall: Time of writing in seconds since 1970; None if it is not finite.
        value: The tensor as a NumPy array; in a scalar series, a number.
    """

    step: int
    wall: float | None
    value: Any


def in_order(data: Iterable[Any], field: str, first: int = 0) -> list[Point]:
    """Returns the points sorted by step, with one point for each step.

    If training is started again in the same directory, it writes the same steps again.
    TensorBoard's data server then drops the older points, but its Python reader
    keeps them. This function drops them in both cases.

    Args:
        data: TensorBoard's data, in the order of writing.
        field: The attribute that holds the value: `"numpy"` or `"value"`.
        first: The step of the first epoch.
    """
    points: list[Point] = []
    for datum in data:
        step = max(int(datum.step) - first, min(int(datum.step), 0))
        if not 0 <= step <= MAX_INTEGER:
            continue
        while points and points[-1].step >= step:
            points.pop()
        wall = float(datum.wall_time)
        points.append(Point(step, wall if math.isfinite(wall) else None, getattr(datum, field)))
    return points
