"""Candidates for tables and series: other units, exchanged columns, another order ...

Which units and which exchanges are tried is read from the rows themselves, without labels: a
column in another unit has another mean and deviation, and two exchanged columns have each other's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_shiftguard.account.candidates.candidates import NEAR, TINY, Candidate, Choice
from keras_shiftguard.account.candidates.exchanged_columns import (
    MIN_NEARER,
    MIN_REMOVED,
    MOST,
    exchanges,
    unscaled_exchanges,
)
from keras_shiftguard.account.candidates.moments import Moments, correlations_of
from keras_shiftguard.operations import columns, series
from keras_shiftguard.operations.operation import Operation
from keras_shiftguard.statistics.chunks import in_chunks

MIN_TIMES = 32  # rows with as many columns may be series or spectra. A convention.
MIN_SKEW = 0.5  # a smaller skewness may be chance. A convention.
# Missing values may be filled otherwise if so large a share of a column has one value, of which the
# other stream has less than this part: fewer rows cost little. Conventions.
MIN_FILLED, MAX_SHARED = 0.03, 0.1

_ROWS = {operation.name: operation for operation in columns.OPERATIONS}


def table_candidates(x: np.ndarray, reference: np.ndarray) -> list[Candidate]:
    """Returns the candidates for rows or series that may differ from a reference.

    Args:
        x: Rows, `(samples, columns)`, or series, `(samples, times, channels)`.
        reference: Rows or series of training.
    """
    here, there = Moments.of(x), Moments.of(reference)
    correlations = correlations_of(x), correlations_of(reference)
    fills = _fills(x, reference)
    signs = range(x.shape[-1]) if x.ndim == 3 else _signs(here, there, *correlations)
    singles = range(x.shape[-1] if x.ndim == 2 and 1 < x.shape[-1] <= MOST else 0)
    tried: list[tuple[str, Any]] = [
        *(("unit", (column, -1.0, 0.0)) for column in signs),
        *(("unit", strength) for strength in _units(here, there)),
        *(("units", strength) for strength in _all_units(here, there)),
        *(("refill", strength) for strength in fills),
        *(("refills", strength) for strength in [tuple(fills)] if len(fills) > 1),
    ]
    found = [_candidate(_ROWS[name], strength) for name, strength in tried]
    found += [_exchange(*each, there.mean) for each in exchanges(here, there, *correlations)]
    unscaled = unscaled_exchanges(here, there, *correlations)
    found += [_candidate(_ROWS["exchange_unscaled"], each) for each in unscaled]
    found += [_candidate(_ROWS["blank"], _of([column], there.mean)) for column in singles]
    orders = [(_ROWS[name], by) for name in ("reverse", "roll") for by in _ROWS[name].strengths]
    found += [_candidate(*each) for each in orders]
    return [*found, *(_of_series(x) if x.ndim == 3 or x.shape[-1] >= MIN_TIMES else ())]


def _candidate(operation: Operation, strength: Any) -> Candidate:
    apply = operation.apply
    assert apply is not None

    def run(rows: np.ndarray) -> np.ndarray:
        x = rows.astype("float32")
        return in_chunks(lambda part: apply(keras.ops.convert_to_tensor(part), strength), x)

    return Candidate(Choice(operation.name, operation.family, strength), run)


def _exchange(pair: tuple[int, int], is_plain: bool, means: np.ndarray) -> Candidate:
    """Returns the candidate that exchanges two columns.

    Unless the moments show plainly that they are exchanged, its rival takes them out. If a column
    is wrong in another way, exchanging it with one that the model does not use helps as well, but
    no more than a constant in both.
    """
    found = _candidate(_ROWS["exchange"], pair)
    return found if is_plain else replace(found, rival=_candidate(_ROWS["blank"], _of(pair, means)))


def _of(which: Sequence[int], means: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Returns the strength with which columns are taken out: the columns and their means."""
    return tuple(which), tuple(float(means[column]) for column in which)


def _of_series(x: np.ndarray) -> list[Candidate]:
    """Returns the candidates for series, also for those that are fed as rows of their values.

    Frequencies are moved in spectra only, with many channels. Backwards, a row of values is one
    with its columns in reverse order, which is tried anyway.
    """
    is_spectrum = x.ndim == 3 and x.shape[-1] >= MIN_TIMES
    suits = {"pitch": is_spectrum, "backwards": x.ndim == 3}
    chosen = [each for each in series.OPERATIONS if suits.get(each.name, True)]
    found = [_candidate(each, strength) for each in chosen for strength in each.strengths]
    return found if x.ndim == 3 else [_of_rows(each) for each in found]


def _of_rows(of_series: Candidate) -> Candidate:
    run = of_series.apply
    return replace(of_series, apply=lambda rows: run(rows[..., None])[..., 0])


def _units(here: Moments, there: Moments) -> list[tuple[int, float, float]]:
    """Returns linear maps for each column: named units that fit (up to `NEAR`), or the moments.

    The map of the moments gives the column the mean and the deviation of the reference. It is tried
    unless a named unit does so. A column that has not moved has none: a stretch by chance may help
    an unfinished model.
    """
    found = []
    named = [(known, 0.0) for unit in columns.UNITS for known in (unit, 1 / unit)]
    vary = (here.std >= TINY) & (there.std >= TINY)
    for column in np.flatnonzero(vary & here.moved_from(there)).tolist():
        mean, usual, spread = here.mean[column], there.mean[column], there.std[column]
        factor = spread / here.std[column]
        known = [
            (float(times), float(plus))
            for times, plus in (*named, *columns.LINEAR)
            if abs(np.log(factor / times)) < NEAR
            and (not plus or abs(times * mean + plus - usual) < spread)
        ]
        if abs(np.log(factor)) < NEAR:  # only moved, by a whole number if all values are whole
            are_whole = here.are_whole[column] and there.are_whole[column]
            known.append((1.0, float(np.rint(usual - mean) if are_whole else usual - mean)))
        found += [(column, *each) for each in known]
        missed = [abs(times * mean + plus - usual) for times, plus in known]
        if not known or min(missed) > NEAR * spread:
            found.append((column, float(factor), float(usual - factor * mean)))
    return found


def _signs(
    here: Moments, there: Moments, correlations: np.ndarray, others: np.ndarray
) -> list[int]:
    """Returns the columns that may have the other sign: their mean, skewness or correlations do.

    All channels of series and of points may, whose mean is often 0, because few have an order.
    """
    means = np.stack([here.mean, there.mean])
    skews = np.stack([here.skewness, there.skewness])
    far = np.abs(means).min(axis=0) > NEAR * np.maximum(here.std, there.std)
    skewed = np.abs(skews).min(axis=0) > MIN_SKEW
    is_other = (far & (means.prod(axis=0) < 0)) | (skewed & (skews.prod(axis=0) < 0))
    strength = np.square(others).sum(axis=1)
    alike = (correlations * others).sum(axis=1)
    is_other |= (strength > MIN_NEARER) & (alike < -MIN_REMOVED * strength)
    return np.flatnonzero(is_other).tolist()


def _all_units(here: Moments, there: Moments) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Returns the linear map that gives each column that moved the moments of the reference.

    There is none unless several columns moved: else one column in another unit would be told as all
    of them.
    """
    moved = (here.std > TINY) & (there.std > TINY) & here.moved_from(there)
    if moved.sum() < 2:
        return []
    factors = np.where(moved, there.std / np.maximum(here.std, TINY), 1.0)
    offsets = np.where(moved, there.mean - factors * here.mean, 0.0)
    return [(tuple(map(float, factors)), tuple(map(float, offsets)))]


def _fills(x: np.ndarray, reference: np.ndarray) -> list[columns.Fill]:
    """Returns columns with a value that many rows have and training hardly has, and another value.

    Where training has such a value as well, missing values were filled otherwise, and this is the
    other value; else the median of training is. Missing values count as one value.
    """
    found = []
    for column in range(x.shape[-1] if x.ndim == 2 else 0):
        here, there = x[:, column], reference[:, column]
        value, share = _own_value(here, there)
        if not share:
            continue
        other, usual = _own_value(there, here)
        if usual <= share / 2:
            other = _median(there[np.isfinite(there)])
        if other != value:
            found.append((column, value, other))
    return found


def _median(values: np.ndarray) -> float | None:
    """Returns the median to a thousandth of the deviation, or better; None without values."""
    if not len(values):
        return None
    step = 10.0 ** np.floor(np.log10(max(float(values.std()), TINY)) - 3)
    return float(np.round(np.median(values) / step) * step)


def _own_value(here: np.ndarray, there: np.ndarray) -> tuple[float | None, float]:
    """Returns the commonest value of a column that another one hardly has, and its share."""
    found: tuple[float | None, float] = (None, 0.0)
    values, counts = np.unique(np.where(np.isfinite(here), here, np.nan), return_counts=True)
    shares = counts / len(here)
    often = shares >= MIN_FILLED
    for value, share in zip(values[often].tolist(), shares[often].tolist(), strict=True):
        if share < found[1]:
            continue
        is_same = there == value if np.isfinite(value) else ~np.isfinite(there)
        if is_same.mean() < MAX_SHARED * share:
            found = (value if np.isfinite(value) else None, share)
    return found
