"""Class ids from labels, and class probabilities from outputs.

The whole package reads labels and outputs by the following rules. Whole numbers from 0 are class
ids. Rows of shares that sum to 1 (one-hot, smoothed or mixed) are classes as well: the class of a
row is the class with the largest share. Outputs in [0, 1] whose rows sum to 1 are probabilities;
softmax is applied to all other outputs. A single column of outputs in [0, 1] holds the
probabilities of the second of two classes; a sigmoid is applied to any other single column.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.errors import warn
from keras_shiftguard.io.batches import why_not_dense

LARGEST_ID = 2**24  # beyond it, not every whole number is exact. Given by float32.
SHARES_TOLERANCE = 0.01  # how far the sum of a row of shares may be from 1. A convention.
# Smallest lead of a mixture's second largest share over the third. A convention.
MIN_SECOND_SHARE = 1e-3
# Largest share in a mixture of two classes, if there are only two. A convention.
MAX_MIXED_SHARE = 0.8
# How far the sum of a row of probabilities may be from 1. A convention.
PROBABILITY_TOLERANCE = 1e-3
# Smaller probabilities are replaced by it before a logarithm. A convention.
SMALLEST_PROBABILITY = 1e-6


def width_of(y: Any) -> int:
    """Returns the number of columns of the labels of a batch; 0 if they cannot be measured."""
    try:
        shape = tuple(y.shape)  # TensorFlow raises if the rank is unknown
        kind = keras.backend.standardize_dtype(y.dtype)
    except (AttributeError, ValueError, TypeError):
        return 0
    if why_not_dense(y) or len(shape) not in (1, 2):
        return 0
    if not kind.startswith(("float", "bfloat", "int", "uint", "bool")):
        return 0
    return 1 if len(shape) == 1 else int(shape[1] or 0)


def warn_of_text(y: Any) -> None:
    """Warns if labels are text, such as names of classes, because text is not checked."""
    dtype = getattr(y, "dtype", None)
    if getattr(dtype, "kind", "") in tuple("OSUT") or "string" in str(dtype):
        warn(
            f"The labels are not checked, because they are no numbers (dtype {dtype}). Pass class "
            "ids: np.unique(y, return_inverse=True)[1]"
        )


def class_ids(y: Any, width: int) -> tuple[Any, Any]:
    """Returns the class ids of a batch of labels, with `keras.ops`.

    Args:
        y: `(samples,)` or `(samples, width)`.
        width: `width_of(y)`, at least 1.

    Returns:
        The ids, `(samples,)`, int32; and a mask, `(samples,)`, float32: 1.0 if the label is a
        class, else 0.0. Ids whose mask is 0 have no meaning.
    """
    if width > 1:
        rows = ops.cast(y, "float32")
        valid = ops.logical_and(
            ops.all(rows >= 0, axis=1), ops.abs(ops.sum(rows, axis=1) - 1.0) < SHARES_TOLERANCE
        )
        return ops.cast(ops.argmax(rows, axis=1), "int32"), ops.cast(valid, "float32")
    y = ops.reshape(y, (-1,))
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(y.dtype)):
        whole = ops.logical_and(ops.equal(y, ops.floor(y)), ops.abs(y) < LARGEST_ID)
        valid = ops.logical_and(whole, y >= 0)
    else:
        fits = True
        if keras.backend.standardize_dtype(y.dtype) == "int64":
            # The check comes before the cast to 32 bits, which turns larger ids into other classes.
            fits = ops.logical_and(y >= 0, y < LARGEST_ID)
        y = ops.cast(y, "int32")
        valid = ops.logical_and(fits, ops.logical_and(y >= 0, y < LARGEST_ID))
    return ops.cast(ops.where(valid, y, 0), "int32"), ops.cast(valid, "float32")


def is_mixture(y: Any, width: int) -> Any:
    """Returns 1.0 for a label that is a mixture of two classes, else 0.0, `(samples,)`.

    In labels of MixUp and CutMix, two classes have a share. In smoothed labels, all classes but one
    have the same share, so the second largest share is not above the third. With two columns, a
    label is a mixture if its larger share is below `MAX_MIXED_SHARE`. Usual label smoothing leaves
    the larger share above this limit.
    """
    if width == 1:
        return ops.zeros_like(ops.cast(ops.reshape(y, (-1,)), "float32"))
    if width == 2:
        return ops.cast(ops.max(ops.cast(y, "float32"), axis=1) < MAX_MIXED_SHARE, "float32")
    shares = ops.top_k(ops.cast(y, "float32"), 3)[0]
    return ops.cast(shares[:, 1] > shares[:, 2] + MIN_SECOND_SHARE, "float32")


def host_class_ids(labels: Any) -> np.ndarray | None:
    """Returns the class ids of labels on the host; None if some label is not a class.

    The rules are those of `class_ids`. Negative whole numbers are returned as they are, so that the
    caller can report them.
    """
    y = np.asarray(labels)
    width = width_of(y)
    if not width:
        return None
    if width == 1:
        y = y.reshape(-1)
        whole = np.isfinite(y) & (y == np.floor(y)) & (np.abs(y) < LARGEST_ID)
        return y.astype("int64") if whole.all() else None
    rows = y.astype("float64")
    valid = (rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < SHARES_TOLERANCE).all()
    return rows.argmax(axis=1) if valid else None


def are_probabilities(outputs: Any, are_logits: bool | None = None) -> Any:
    """Returns whether a batch of outputs is read as probabilities, as a boolean scalar tensor.

    Outputs are read as probabilities if all of them lie in [0, 1] and every row sums to 1, both
    within `PROBABILITY_TOLERANCE`. The rows of a single column need not sum to 1. Rows with
    non-finite values do not influence how the other rows are read.

    Args:
        outputs: `(samples, classes)`, floating point.
        are_logits: Whether the outputs are logits, if that is known; else None.
    """
    if are_logits is not None:
        return ops.convert_to_tensor(not are_logits)
    finite = ops.all(ops.isfinite(outputs), axis=1, keepdims=True)
    filled = ops.where(finite, outputs, ops.zeros_like(outputs))
    in_range = ops.logical_and(
        ops.min(filled) >= -PROBABILITY_TOLERANCE, ops.max(filled) <= 1.0 + PROBABILITY_TOLERANCE
    )
    if outputs.shape[1] == 1:
        return in_range
    error = ops.abs(ops.sum(filled, axis=1, keepdims=True) - 1.0)
    largest_error = ops.max(ops.where(finite, error, ops.zeros_like(error)))
    return ops.logical_and(in_range, largest_error <= PROBABILITY_TOLERANCE)


def probabilities(outputs: Any, are_logits: bool | None = None) -> Any:
    """Returns the class probabilities of a batch of outputs, with `keras.ops`.

    If `are_probabilities` is true, the outputs are returned unchanged, except that rows known to be
    probabilities are divided by their sum: half precision and several sigmoids do not sum to 1.
    Else softmax is applied to all rows. A single column has the probabilities or the logits of the
    second of two classes; a sigmoid is applied to logits.

    Args:
        outputs: `(samples, classes)`, floating point.
        are_logits: See `are_probabilities`.

    Returns:
        `(samples, classes)`, or `(samples, 2)` for one column, in the dtype of `outputs`.
    """
    as_they_are = are_probabilities(outputs, are_logits)
    outputs = outputs if are_logits is not False else _with_sum_one(outputs)
    if outputs.shape[1] == 1:
        second = ops.where(as_they_are, outputs, ops.sigmoid(outputs))
        return ops.concatenate([1.0 - second, second], axis=1)
    return ops.where(as_they_are, outputs, ops.softmax(outputs, axis=1))


def log_probabilities(outputs: Any, are_logits: bool | None = None) -> Any:
    """Returns the logarithms of the class probabilities of a batch of outputs.

    For probabilities see `probabilities`. Logits are not turned into probabilities first, because
    probabilities may underflow to 0. Probabilities below `SMALLEST_PROBABILITY` are replaced by it.

    Args:
        outputs: `(samples, classes)`, floating point.
        are_logits: See `are_probabilities`.

    Returns:
        `(samples, classes)`, or `(samples, 2)` for one column, in the dtype of `outputs`.
    """
    as_they_are = are_probabilities(outputs, are_logits)
    outputs = outputs if are_logits is not False else _with_sum_one(outputs)
    if outputs.shape[1] == 1:
        p = ops.concatenate([1.0 - outputs, outputs], axis=1)
        of_logits = ops.log_sigmoid(ops.concatenate([-outputs, outputs], axis=1))
    else:
        p, of_logits = outputs, ops.log_softmax(outputs, axis=1)
    of_probabilities = ops.log(ops.maximum(p, SMALLEST_PROBABILITY))
    return ops.where(as_they_are, of_probabilities, of_logits)


def _with_sum_one(p: Any) -> Any:
    """Returns rows of probabilities divided by their sums; a single column as it is."""
    if p.shape[1] == 1:
        return p
    p = ops.maximum(p, 0.0)
    return p / ops.maximum(ops.sum(p, axis=1, keepdims=True), SMALLEST_PROBABILITY)


def host_probabilities(outputs: Any) -> np.ndarray:
    """Returns `probabilities` of a NumPy array of outputs, `(samples, classes)`, float64."""
    x = np.asarray(outputs)
    x = x.reshape(len(x), -1)
    if not len(x):
        return np.zeros((0, max(x.shape[1], 2)))
    x = x.astype("float64" if x.dtype.itemsize >= 8 else "float32")
    return np.asarray(ops.convert_to_numpy(probabilities(ops.convert_to_tensor(x))), "float64")
