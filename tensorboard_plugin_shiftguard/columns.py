"""The columns of a chart: the steps at which all its series are drawn."""

from collections.abc import Iterable

import numpy as np

MAX_COLUMNS = 250


def columns(steps: Iterable[np.ndarray], max_columns: int = MAX_COLUMNS) -> np.ndarray:
    """Returns the steps to show: all, or an even selection with the first and the last step.

    Args:
        steps: The steps of each series, `(t,)`, ascending.
        max_columns: The largest number of columns. A selection always has at least 2.

    Returns:
        `(c,)` int64, ascending.
    """
    all_steps = np.unique(np.concatenate([np.zeros(0, np.int64), *steps]))
    if len(all_steps) <= max_columns:
        return all_steps
    chosen = np.linspace(0, len(all_steps) - 1, max(max_columns, 2)).round().astype(np.int64)
    return all_steps[np.unique(chosen)]


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


def last_in_column(steps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the point that each column shows: the latest point in the column.

    Args:
        steps: `(t,)`, ascending, none of them after the last of `chosen`.
        chosen: The step of each column, `(c,)`, ascending.

    Returns:
        Indices into `steps`, `(c,)`; -1 for a column without a point.
    """
    found = np.full(len(chosen), -1, np.int64)
    # Steps ascend, so the latest point of a column overwrites the earlier ones.
    for point, column in enumerate(column_of(steps, chosen)):
        found[column] = point
    return found
