"""The fixed grid of every histogram: the same for all streams, for ever.

Bins grow geometrically from zero, both ways, so that a bin's middle is within
RELATIVE_ACCURACY of everything in it (Masson, Rim, Lee: DDSketch, VLDB 2019).
The grid is built a little finer than promised, which pays for float32 rounding
at bin edges. Since it never depends on the data, profiles made apart compare.
"""

import numpy as np

RELATIVE_ACCURACY = 0.01
SMALLEST, LARGEST = 1e-6, 1e6  # |x| below counts as 0, above as LARGEST
GAMMA = (1 + 0.99 * RELATIVE_ACCURACY) / (1 - 0.99 * RELATIVE_ACCURACY)
LOG_GAMMA = float(np.log(GAMMA))
BINS_PER_SIGN = int(np.ceil(np.log(LARGEST / SMALLEST) / LOG_GAMMA))
NUM_BINS = 2 * BINS_PER_SIGN + 1  # negative (largest first), zero, positive


def bin_edges() -> np.ndarray:
    """Edges of the bins, ascending, `(NUM_BINS + 1,)`."""
    positive = SMALLEST * GAMMA ** np.arange(BINS_PER_SIGN + 1)
    return np.concatenate([-positive[::-1], positive])


def bin_values() -> np.ndarray:
    """The value that stands for each bin, ascending, `(NUM_BINS,)`."""
    lower = SMALLEST * GAMMA ** np.arange(BINS_PER_SIGN)
    positive = lower * 2 * GAMMA / (GAMMA + 1)
    return np.concatenate([-positive[::-1], [0.0], positive])
