"""Operations on series: another start, another rate, other frequencies, reversed time.

Series are float32, `(samples, times, channels)`; the channels of spectra are frequencies.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.operations.operation import Operation


def _delayed(x: Any, share: Any) -> Any:
    """Moves a series to later times by a share of its length; its first value fills the start."""
    length = x.shape[1]
    at = np.clip(np.arange(length) - round(float(share) * length), 0, length - 1)
    return ops.take(x, ops.convert_to_tensor(at.astype("int32")), axis=1)


def _resampled(x: Any, factor: Any) -> Any:
    """Reads a series at another rate, from its first value; the last value fills the end."""
    return _stretched(x, np.arange(x.shape[1]) * float(factor), 1)


def _transposed(x: Any, factor: Any) -> Any:
    """Reads the channels of a spectrum at another rate, so that every frequency is a part as high.

    The channels are frequencies from 0 or the lowest one on; the last channel fills the end.
    """
    return _stretched(x, np.arange(x.shape[2]) * float(factor), 2)


def _stretched(x: Any, at: np.ndarray, axis: int) -> Any:
    """Returns the values of a series between places on an axis, `at`, linearly."""
    length = x.shape[axis]
    at = np.clip(at, 0, length - 1)
    before = np.minimum(np.floor(at), max(length - 2, 0)).astype("int32")
    share = ops.convert_to_tensor((at - before).astype("float32"))
    share = share[None, :, None] if axis == 1 else share
    first = ops.take(x, ops.convert_to_tensor(before), axis=axis)
    second = ops.take(x, ops.convert_to_tensor(np.minimum(before + 1, length - 1)), axis=axis)
    return first + share * (second - first)


# Delays, as shares of the length, and rates that are tried. Conventions.
DELAYS = (-0.25, -0.1, -0.05, 0.05, 0.1, 0.25)
RATES = (0.5, 0.8, 1.25, 2.0)

# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    Operation("delay", "series", "delays", _delayed, DELAYS, "{:.2g} of the length"),
    Operation("rate", "series", "changes the rate", _resampled, RATES, "by {:.2g}"),
    Operation("pitch", "series", "moves all frequencies", _transposed, RATES, "by {:.2g}"),
    Operation("backwards", "series", "reverses time", lambda x, _: ops.flip(x, 1), (1.0,)),
)
