"""The columns of a chart: the steps at which all its series are drawn."""

from collections.abc import Iterable

import numpy as np

MAX_COLUMNS = 250


def even(count: int, max_columns: int = MAX_COLUMNS) -> np.ndarray:
    """Returns the indices of `count` points to show: all, or an even selection with both ends.

    Returns:
        `(c,)` int64, ascending; at most `max_columns`, but at least 2 of several points.
    """
    if count <= max_columns:
        return np.arange(count)
    return np.linspace(0, count - 1, max(max_columns, 2)).round().astype(np.int64)


def columns(steps: Iterable[np.ndarray], max_columns: int) -> np.ndarray:
    """Returns the steps to show of several series: all steps, or an even selection as by `even`.

    Args:
        steps: The steps of each series, `(t,)`, ascending.
        max_columns: The largest number of columns.

    Returns:
        `(c,)` int64, ascending.
    """
    all_steps = np.unique(np.concatenate([np.zeros(0, np.int64), *steps]))
    return all_steps[even(len(all_steps), max_columns)]


def column_of(steps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the column that each step belongs to.

    A column contains its own step and all steps between the previous column and its own step.
    Columns are needed because TensorBoard may keep different steps of different tags.

    Args:
        steps: `(t,)`, none of them after the last of `chosen`.
        chosen: The step of each column, `(c,)`, ascending.

    Returns:
        Indices into `chosen`, `(t,)`.
    """
    return np.searchsorted(chosen, steps, side="left")
