"""Candidates for categories: codes in another order, as where an encoder was fitted again.

Which code of validation stands for which code of training is read from the rows, without labels:
from how frequent a code is, and from the means of the other columns beside it.
"""

from collections.abc import Callable

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.columns import SAME

MOST_CODES = 20  # a column of more values holds numbers, or ids of a text. A convention.
MOST_COLUMNS = 20  # as many columns are looked at. A convention.
# Another order must fit better by this much, in squared standard errors summed over the codes: of
# two orders of codes that are alike, chance prefers one by less. A convention.
MIN_BETTER = 25.0


def code_candidates(x: np.ndarray, reference: np.ndarray) -> list[Candidate]:
    """Returns a candidate for each column whose codes seem to stand for others.

    Args:
        x: Rows, `(samples, columns)`, or numbers, `(samples,)`.
        reference: Those of training.
    """
    if x.ndim > 2 or not {x.dtype.kind, reference.dtype.kind} <= set("biuf"):
        return []
    here, there = _rows(x), _rows(reference)
    found = []
    for column in range(here.shape[1] if here.shape[1] <= MOST_COLUMNS else 0):
        table = _table(here, there, column)
        if table is not None:
            choice = Choice("recode", "columns", (column, *table))
            found.append(Candidate(choice, _recoding(column, *table)))
    return found


Codes = tuple[float, ...]


def _rows(x: np.ndarray) -> np.ndarray:
    """Returns rows of a table, as a view; single numbers become rows of one column."""
    return x[:, None] if x.ndim == 1 else x


def _recoding(column: int, codes: Codes, others: Codes) -> Callable[[np.ndarray], np.ndarray]:
    def run(rows: np.ndarray) -> np.ndarray:
        changed = rows.copy()
        values, place = _rows(changed), _rows(rows)[:, column]
        for code, other in zip(codes, others, strict=True):
            values[np.abs(place - code) <= SAME * max(abs(code), 1.0), column] = other
        return changed

    return run


def _table(here: np.ndarray, there: np.ndarray, column: int) -> tuple[Codes, Codes] | None:
    """Returns the codes of a column that stand for others, and these; None if none do."""
    codes = [np.unique(each[:, column][np.isfinite(each[:, column])]) for each in (here, there)]
    if not 2 <= len(codes[0]) <= MOST_CODES or not np.array_equal(codes[0], codes[1]):
        return None
    if (codes[0] != np.rint(codes[0])).any():
        return None
    distance = _distances(here, there, column, codes[0])
    order = _matched(distance)
    if distance.trace() - distance[np.arange(len(order)), order].sum() < MIN_BETTER:
        return None
    moved = np.flatnonzero(order != np.arange(len(order)))
    values = tuple(float(v) for v in codes[0][moved])
    return values, tuple(float(v) for v in codes[0][order[moved]])


def _distances(here: np.ndarray, there: np.ndarray, column: int, codes: np.ndarray) -> np.ndarray:
    """Returns how far each code of `here` is from each of `there`, in squared standard errors."""
    finite = [np.where(np.isfinite(each), each, 0.0).astype("float64") for each in (here, there)]
    others = [np.delete(each, column, axis=1) for each in finite]
    spread = others[1].std(axis=0) + 1e-12
    shares, means, sizes = [], [], []
    for rows, rest in zip((here, there), others, strict=True):
        of_code = [rows[:, column] == code for code in codes]
        sizes.append(np.asarray([each.sum() for each in of_code], "float64"))
        shares.append(sizes[-1] / len(rows))
        means.append(np.stack([rest[each].mean(axis=0) for each in of_code]))
    share = (shares[0][:, None] + shares[1]) / 2
    error = share * (1 - share) * (1 / len(here) + 1 / len(there)) + 1e-12
    found = (shares[0][:, None] - shares[1]) ** 2 / error
    apart = ((means[0][:, None] - means[1][None]) / spread) ** 2
    return found + apart.sum(axis=-1) / (1 / sizes[0][:, None] + 1 / sizes[1])


def _matched(distance: np.ndarray) -> np.ndarray:
    """Returns the nearest code for each one, each taken once: the surest pair first."""
    order, free = np.full(len(distance), -1), distance.copy()
    for _ in range(len(distance)):
        # The code that loses most by another partner than its best one chooses first.
        ranked = np.sort(free, axis=1)
        second = ranked[:, 1] if free.shape[1] > 1 else ranked[:, 0]
        lead = np.where(np.isfinite(ranked[:, 0]), np.minimum(second, 1e300) - ranked[:, 0], -1)
        one = int(np.argmax(lead))
        other = int(np.argmin(free[one]))
        order[one] = other
        free[one, :], free[:, other] = np.inf, np.inf
    return order
