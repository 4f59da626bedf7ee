"""Candidates for tables, series and texts: other units, exchanged columns, another order ...

Which units and which exchanges are tried is read from the rows themselves, without labels: a
column in another unit has another mean and deviation, and two exchanged columns have each other's.
"""

from typing import Any

import keras
import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations import columns, series, tokens
from keras_shiftguard.operations.operation import Operation
from keras_shiftguard.statistics.chunks import in_chunks

MAX_EXCHANGES = 20  # exchanges of two columns that are tried, those that fit best. A convention.
# A factor between two deviations is that of a named unit if it is as near as this, and a column has
# moved if its factor or its mean (in deviations) is further: sampling moves the factor of some
# hundred rows by a few percent.
NEAR = 0.15
# A unit with another zero is tried if it brings the mean as near as this, in deviations: a
# convention, which spares a prediction for columns that are no temperature.
FAR = 1.0
# An exchange must bring the moments nearer by so much, in squared standard deviations, and take
# away this share of what differs in the two columns: exchanged back, columns hardly differ.
# Otherwise a column that is wrong in another way is exchanged with one that the model does not use,
# which helps as well, and both would be called exchanged.
MIN_NEARER, MIN_REMOVED = 0.05, 0.5
TINY = 1e-6


def table_candidates(x: np.ndarray, reference: np.ndarray) -> list[Candidate]:
    """Returns the candidates for rows or series that may differ from a reference.

    Args:
        x: Rows, `(samples, columns)`, or series, `(samples, times, channels)`.
        reference: Rows or series of training.
    """
    here, there = _moments(x), _moments(reference)
    rows = {operation.name: operation for operation in columns.OPERATIONS}
    found = [
        *(_candidate(rows["unit"], strength) for strength in _units(here, there)),
        *(_candidate(rows["units"], strength) for strength in _all_units(here, there)),
        *(_candidate(rows["exchange"], pair) for pair in _exchanges(here, there)),
        *(
            _candidate(rows[name], strength)
            for name in ("reverse", "roll")
            for strength in rows[name].strengths
        ),
    ]
    if x.ndim == 3:
        found += [_candidate(each, s) for each in series.OPERATIONS for s in each.strengths]
    return found


def text_candidates(reference: np.ndarray) -> list[Candidate]:
    """Returns the candidates for texts, rows of token ids.

    Args:
        reference: Texts of training. Ids above the largest one become it, so that an embedding
            has all of them.
    """
    largest = int(reference.max(initial=0))

    def of(operation: Operation, strength: Any) -> Candidate:
        apply = operation.apply
        assert apply is not None
        choice = Choice(operation.name, operation.family, strength)
        return Candidate(choice, lambda x: np.minimum(apply(x, strength), largest).astype(x.dtype))

    return [of(each, strength) for each in tokens.OPERATIONS for strength in each.strengths]


def _candidate(operation: Operation, strength: Any) -> Candidate:
    apply = operation.apply
    assert apply is not None

    def run(rows: np.ndarray) -> np.ndarray:
        x = rows.astype("float32")
        return in_chunks(lambda part: apply(keras.ops.convert_to_tensor(part), strength), x)

    return Candidate(Choice(operation.name, operation.family, strength), run)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each column, over its finite values."""
    values = np.where(np.isfinite(x), x, np.nan).reshape(-1, x.shape[-1]).astype("float64")
    return np.nan_to_num(np.nanmean(values, axis=0)), np.nan_to_num(np.nanstd(values, axis=0))


Moments = tuple[np.ndarray, np.ndarray]


def _units(here: Moments, there: Moments) -> list[tuple[int, float, float]]:
    """Returns a linear map for each column: the factor of a named unit that fits, and the moments.

    The map of the moments gives the column the mean and the deviation of the reference.
    """
    found = []
    for column in range(len(here[0])):
        if here[1][column] < TINY or there[1][column] < TINY:
            continue
        if not _moved(here, there)[column]:  # a stretch by chance may help an unfinished model
            continue
        factor = there[1][column] / here[1][column]
        offset = there[0][column] - factor * here[0][column]
        found.append((column, float(factor), float(offset)))
        for known in (*columns.UNITS, *(1 / known for known in columns.UNITS)):
            if abs(np.log(factor / known)) < NEAR:
                found.append((column, float(known), 0.0))
        for known, zero in columns.LINEAR:
            moved = known * here[0][column] + zero - there[0][column]
            if abs(np.log(factor / known)) < NEAR and abs(moved) < FAR * there[1][column]:
                found.append((column, float(known), float(zero)))
    return found


def _moved(here: Moments, there: Moments) -> np.ndarray:
    """Returns whether the moments of each column differ by more than sampling makes them."""
    scaled = np.abs(np.log((there[1] + TINY) / (here[1] + TINY))) > NEAR
    return scaled | (np.abs(there[0] - here[0]) > NEAR * there[1])


def _all_units(here: Moments, there: Moments) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Returns the linear maps that give each column the mean and deviation of the reference.

    There are none unless several columns moved: else one column in another unit would be told as
    all of them.
    """
    known = (here[1] > TINY) & (there[1] > TINY)
    if np.sum(known & _moved(here, there)) < 2:
        return []
    factors = np.where(known, there[1] / np.maximum(here[1], TINY), 1.0)
    offsets = np.where(known, there[0] - factors * here[0], 0.0)
    return [(tuple(map(float, factors)), tuple(map(float, offsets)))]


def _exchanges(here: Moments, there: Moments) -> list[tuple[int, int]]:
    """Returns the pairs of columns whose exchange brings their moments nearest to the reference."""
    number = len(here[0])
    unit = there[1] + TINY
    # The distance of column i, put in the place of column j, from the reference.
    mean = np.arcsinh((here[0][:, None] - there[0][None]) / unit) ** 2
    deviation = np.log((here[1][:, None] + TINY) / unit) ** 2
    distance = mean + deviation
    own = np.diag(distance)
    gain = own[:, None] + own[None] - distance - distance.T
    pairs = [(int(i), int(j)) for i, j in zip(*np.triu_indices(number, 1), strict=True)]
    pairs = [
        (i, j) for i, j in pairs if gain[i, j] > max(MIN_NEARER, MIN_REMOVED * (own[i] + own[j]))
    ]
    pairs.sort(key=lambda pair: -gain[pair])
    return pairs[:MAX_EXCHANGES]
