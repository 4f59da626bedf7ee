"""Detection of a scaler that only one of two streams went through.

A scaler such as scikit-learn's `StandardScaler` is fitted on training data, and gives each of their
columns the mean 0 and the standard deviation 1. In a stream that did not go through it, each column
has another mean and another deviation. In a stream that went through `MinMaxScaler` instead, each
column lies in 0..1.
"""

import numpy as np

from keras_shiftguard.detection.causes.explanation import Explanation, span_of
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputSummary

NEAR = 0.05  # largest distance of a standardized column's mean and log deviation from 0
SIGMAS = 4.0  # number of standard errors that are added to NEAR
# A column is not standardized if its mean is farther than FAR_MEAN from 0, or the logarithm of its
# standard deviation farther than FAR_WIDTH. Over all columns that are not standardized, these
# logarithms must also span more than FAR_WIDTH. They do not if one factor explains the difference.
FAR_MEAN, FAR_WIDTH = 5.0, float(np.log(3))
MIN_ROWS = 20  # samples that each stream must have
MIN_COLUMNS = 3  # standardized columns that a stream must have; one or two may be chance
# At least MIN_STANDARDISED of the columns are standardized in one stream (one-hot columns are often
# left as they are), and at least MIN_OTHERS of these columns are not standardized in the other.
MIN_STANDARDISED, MIN_OTHERS = 0.3, 0.6
# Values scaled to 0..1 may be this far outside if the scaler was fitted on other rows. In most
# columns they fill at least MIN_FILLED of the range.
MAX_OUTSIDE, MIN_FILLED = 0.2, 0.6


def explain_scaler(
    reference: InputSummary, current: InputSummary, stream: str, against: str
) -> Explanation | None:
    """Finds a scaler that only one of two streams of columns went through; None if there is none.

    The arguments are those of `pipeline_change.explain`.
    """
    used = (reference.std > 0) & (current.std > 0)
    rows = min(reference.num_measured, current.num_measured)
    if used.sum() < MIN_COLUMNS or rows < MIN_ROWS:
        return None
    pair = (reference, stream_name(against)), (current, stream_name(stream))
    for scaled, other in (pair, pair[::-1]):
        near = _standardised(scaled[0], other[0], used)
        if near.any():
            break
    else:
        return None
    scale = np.where(near, current.std / np.where(near, reference.std, 1.0), 1.0)
    offset = np.where(near, current.mean - reference.mean * scale, 0.0)
    effect = float(np.max(np.abs(current.mean - reference.mean)[used] / reference.std[used]))
    how = "scaled to 0..1" if _is_min_max(other[0], near) else "not"
    return Explanation(
        name="not standardised",
        sentence=(
            f"The columns of {scaled[1]} are standardised (mean 0, standard deviation 1), and "
            f"those of {other[1]} are {how} (range {span_of(other[0])} against "
            f"{span_of(scaled[0])}): fit one scaler on training, and apply it to both."
        ),
        scale=scale,
        offset=offset,
        swapped=False,
        effect_size=effect,
        fix="x = scaler.transform(x)  # the scaler that was fitted on training",
    )


def _standardised(scaled: InputSummary, other: InputSummary, used: np.ndarray) -> np.ndarray:
    """Returns which columns of `scaled` are standardized, `(columns,)`.

    All are False if `scaled` has too few standardized columns, if too many of these columns are
    standardized in `other` as well, or if one factor could explain the difference of the streams.
    """
    limit = NEAR + SIGMAS / np.sqrt(scaled.num_measured)
    near = used & (np.abs(scaled.mean) < limit) & (np.abs(_width(scaled)) < limit)
    width = _width(other)
    far = near & ((np.abs(other.mean) > FAR_MEAN) | (np.abs(width) > FAR_WIDTH))
    none = np.zeros(len(near), bool)
    if near.sum() < max(MIN_COLUMNS, MIN_STANDARDISED * used.sum()):
        return none
    if _is_min_max(other, near) and not _is_min_max(scaled, near):
        return np.asarray(near)
    is_other = far.sum() >= MIN_OTHERS * near.sum() and np.ptp(width[far]) > FAR_WIDTH
    return np.asarray(near) if is_other else none


def _is_min_max(summary: InputSummary, columns: np.ndarray) -> bool:
    """Whether the values of some columns, `(columns,)`, were scaled to 0..1."""
    low, high = summary.minimum[columns], summary.maximum[columns]
    if not len(low) or low.min() < -MAX_OUTSIDE or high.max() > 1 + MAX_OUTSIDE:
        return False
    return float((high - low >= MIN_FILLED).mean()) >= MIN_OTHERS


def _width(summary: InputSummary) -> np.ndarray:
    """Returns the logarithm of the standard deviation of each column, `(columns,)`."""
    return np.asarray(np.log(np.maximum(summary.std, 1e-30)))
