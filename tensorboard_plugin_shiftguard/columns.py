"""Many steps on few columns, the same for all series that are shown together."""

from collections.abc import Iterable

import numpy as np

MAX_COLUMNS = 250


def columns(steps: Iterable[np.ndarray], most: int = MAX_COLUMNS) -> np.ndarray:
    """Steps to show: all, or evenly chosen ones with the first and the last.

    Args:
        steps: Those of each series, ascending.
        most: At most so many, at least two.

    Returns:
        `(c,)` int64, ascending.
    """
    everything = np.unique(np.concatenate([np.zeros(0, np.int64), *steps]))
    if len(everything) <= most:
        return everything
    chosen = np.linspace(0, len(everything) - 1, max(most, 2)).round().astype(np.int64)
    return everything[np.unique(chosen)]


def column_of(steps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """In which column each step is shown: the first that is not before it.

    TensorBoard may have kept other steps of one tag than of another; a column
    stands for all steps since the one before, so both still have their place.

    Args:
        steps: `(t,)`, none after the last of `chosen`.
        chosen: `(c,)`, ascending.

    Returns:
        `(t,)` indexes into `chosen`.
    """
    return np.searchsorted(chosen, steps, side="left")


def last_in_column(steps: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Which point each column shows: the last of its steps.

    Returns:
        `(c,)` indexes into `steps`; -1 where a column has none.
    """
    found = np.full(len(chosen), -1, np.int64)
    # Steps ascend, so that the last one of a column stays.
    for point, column in enumerate(column_of(steps, chosen)):
        found[column] = point
    return found
