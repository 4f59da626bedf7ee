"""Candidates for whole numbers that stand for something: codes of categories, ids of tokens.

Which code of validation stands for which code of training, as where an encoder was fitted again, is
read from the rows, without labels: from how frequent a code is, and from the means of the other
columns beside it.
"""

from typing import Any

import numpy as np

from keras_shiftguard.account.candidates.candidates import Candidate, Choice
from keras_shiftguard.operations import tokens
from keras_shiftguard.operations.columns import SAME
from keras_shiftguard.operations.operation import Operation

# A column of more values holds numbers, or ids of a text, and of more columns than this none is
# looked at. A convention.
MOST = 20
# Another order must fit better by this much, in squared standard errors summed over the codes: of
# two orders of codes that are alike, chance prefers one by less. A convention.
MIN_BETTER = 25.0

Codes = tuple[float, ...]


def text_candidates(x: np.ndarray, reference: np.ndarray) -> list[Candidate]:
    """Returns the candidates for texts, rows of token ids.

    Args:
        x: Texts, `(samples, length)`, or single ids.
        reference: Texts of training. Ids above the largest one become it, so that an embedding
            has all of them.
    """
    largest = int(reference.max(initial=0))
    is_padded = tokens.has_padding(x) and tokens.has_padding(reference)
    left_out = "renumber_all" if is_padded else "renumber"

    def of(operation: Operation, strength: Any) -> Candidate:
        apply = operation.apply
        assert apply is not None
        choice = Choice(operation.name, operation.family, strength)
        return Candidate(choice, lambda x: np.minimum(apply(x, strength), largest).astype(x.dtype))

    chosen = [each for each in tokens.OPERATIONS if each.name != left_out]
    return [of(each, strength) for each in chosen for strength in each.strengths]


def code_candidates(x: np.ndarray, reference: np.ndarray) -> list[Candidate]:
    """Returns a candidate for each column whose codes seem to stand for others.

    Args:
        x: Rows, `(samples, columns)`, or numbers, `(samples,)`.
        reference: Those of training.
    """
    if x.ndim > 2 or not {x.dtype.kind, reference.dtype.kind} <= set("biuf"):
        return []
    here, there = _rows(x), _rows(reference)
    number = here.shape[1]
    tables = {i: _table(here, there, i) for i in range(number if number <= MOST else 0)}
    return [_recoding(column, *table) for column, table in tables.items() if table is not None]


def _rows(x: np.ndarray) -> np.ndarray:
    """Returns rows of a table, as a view; single numbers become rows of one column."""
    return x[:, None] if x.ndim == 1 else x


def _recoding(column: int, codes: Codes, others: Codes) -> Candidate:
    def run(rows: np.ndarray) -> np.ndarray:
        changed = rows.copy()
        values, place = _rows(changed), _rows(rows)[:, column]
        for code, other in zip(codes, others, strict=True):
            values[np.abs(place - code) <= SAME * max(abs(code), 1.0), column] = other
        return changed

    return Candidate(Choice("recode", "columns", (column, codes, others)), run)


def _table(here: np.ndarray, there: np.ndarray, column: int) -> tuple[Codes, Codes] | None:
    """Returns the codes of a column that stand for others, and these; None if none do."""
    codes, known = (np.unique(x[:, column][np.isfinite(x[:, column])]) for x in (here, there))
    if not 2 <= len(codes) <= MOST or not np.array_equal(codes, known):
        return None
    if (codes != np.rint(codes)).any():
        return None
    distance = _distances(here, there, column, codes)
    order = _matched(distance)
    if distance.trace() - distance[np.arange(len(order)), order].sum() < MIN_BETTER:
        return None
    moved = np.flatnonzero(order != np.arange(len(order)))
    return tuple(map(float, codes[moved])), tuple(map(float, codes[order[moved]]))


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
        ranked = np.sort(free, axis=1)  # of two codes or more
        lead = np.minimum(ranked[:, 1], 1e300) - ranked[:, 0]
        one = int(np.argmax(np.where(np.isfinite(ranked[:, 0]), lead, -1)))
        other = int(np.argmin(free[one]))
        order[one] = other
        free[one, :], free[:, other] = np.inf, np.inf
    return order
