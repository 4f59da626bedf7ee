"""Columns of a picture: the steps at which series that are shown together are drawn."""

from collections.abc import Iterable

import numpy as np

MAX_COLUMNS = 250


def columns(steps: Iterable[np.ndarray], max_columns: int = MAX_COLUMNS) -> np.ndarray:
    """Returns the steps to show: all, or evenly spaced ones with the first and the last.

    Args:
        steps: The steps of each series, `(t,)`, ascending.
        max_columns: The largest number of columns. Less than 2 counts as 2 where
            there are more steps than that.

    Returns:
        `(c,)` int64, ascending.
    """
    everything = np.unique(np.concatenate([np.zeros(0, np.int64), *steps]))
    if len(everything) <= max_columns:
        return everything
    chosen = np.linspace(0, len(everything) - 1, max(max_columns, 2)).round().astype(np.int64)
    return everything[np.unique(chosen)]


def column_of(steps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the column of each step: the first whose own step is not earlier.

    A column stands for all the steps after the previous column, because
    TensorBoard may keep different steps of different tags.

    Args:
        steps: `(t,)`, none of them after the last of `chosen`.
        chosen: The step of each column, `(c,)`, ascending.

    Returns:
        `(t,)` indexes into `chosen`.
    """
    return np.searchsorted(chosen, steps, side="left")


def last_in_column(steps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the point that each column shows: its latest.

    Args:
        steps: `(t,)`, ascending, none of them after the last of `chosen`.
        chosen: The step of each column, `(c,)`, ascending.

    Returns:
        `(c,)` indexes into `steps`; -1 for a column without a point.
    """
    found = np.full(len(chosen), -1, np.int64)
    # Steps ascend, so the latest of a column overwrites the earlier ones.
    for point, column in enumerate(column_of(steps, chosen)):
        found[column] = point
    return found
