"""Cost of moved columns of a table, measured on labelled rows by giving the columns other values.

The rows of validation are labelled, and the model has not memorized them. So two changes of these
rows tell what the moved columns cost:

- They get the values of training rows drawn at random. The columns cannot cost more accuracy than
  the share of the predictions that this changes. If it changes none, the model does not use them.
- Each column gets the value that has the same rank among the training rows. This undoes another
  unit, an offset or a stretched scale. If the accuracy rises, the difference did harm. If it does
  not rise, the difference may be of another kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from keras_shiftguard.detection.cost import SIGMAS, Cost, cost_of

MAX_CHANGED = 0.005  # if a smaller share of the predictions changes, the columns are not used


def cost_of_columns(
    predict: Callable[[list[np.ndarray]], np.ndarray],
    rows: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    columns: Sequence[int],
) -> Cost:
    """Returns the cost of moved columns, or else an upper bound of it.

    Args:
        predict: Runs the model in inference mode; from rows in chunks to predicted classes.
        rows: Rows with the difference, `(samples, columns)`, float32.
        labels: Their class ids, `(samples,)`.
        others: Rows without the difference.
        columns: Indices of the columns that moved.
    """
    predicted = predict([rows])
    right = predicted == labels
    replaced = rows.copy()
    drawn = np.random.default_rng(0).integers(0, len(others), len(rows))
    replaced[:, columns] = others[drawn][:, columns]
    without = predict([replaced])
    changed = float((without != predicted).mean())
    if changed < MAX_CHANGED:
        return cost_of(without == labels, right)
    moved_back = rows.copy()
    for column in columns:
        moved_back[:, column] = _with_ranks_of(rows[:, column], others[:, column])
    cost = cost_of(predict([moved_back]) == labels, right)
    if cost.is_sure:  # undoing may repair only a part of the harm
        return replace(cost, interval=(cost.interval[0], max(cost.interval[1], changed)))
    error = np.sqrt(changed * (1 - changed) / len(rows))
    return Cost(changed, (0.0, float(changed + SIGMAS * error)), len(rows), is_bound=True)


def _with_ranks_of(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the values of `others` that have the same ranks as `values`; NaN stays NaN."""
    known, there = np.isfinite(values), np.sort(others[np.isfinite(others)])
    result = values.copy()
    if known.any() and len(there):
        ordered = np.sort(values[known])
        low, high = (np.searchsorted(ordered, values[known], side) for side in ("left", "right"))
        ranks = (low + high) / (2 * len(ordered))  # equal values get equal ranks
        result[known] = np.quantile(there, ranks)
    return result
