"""The fixed grid of bins of all histograms.

Bins grow geometrically from zero, for both signs, so that the middle of a bin is within
RELATIVE_ACCURACY of every value in it (Masson, Rim, Lee: DDSketch, VLDB 2019). The grid is 1 %
finer than this accuracy needs, to allow for float32 rounding at the edges. It does not depend on
the data and must never change, so that profiles made separately, also by older versions, can be
compared.
"""

import numpy as np

RELATIVE_ACCURACY = 0.01  # of a quantile. A convention.
SMALLEST, LARGEST = 1e-6, 1e6  # a smaller |x| counts as 0, a larger one as LARGEST. A convention.
# Ratio of the two edges of a bin: Masson, Rim and Lee, "DDSketch", VLDB 2019. The grid is a little
# finer than promised, because float32 rounds at the edges.
GAMMA = (1 + 0.99 * RELATIVE_ACCURACY) / (1 - 0.99 * RELATIVE_ACCURACY)
LOG_GAMMA = float(np.log(GAMMA))
BINS_PER_SIGN = int(np.ceil(np.log(LARGEST / SMALLEST) / LOG_GAMMA))
# Negative values, zero, positive values; ascending. Given by the grid.
NUM_BINS = 2 * BINS_PER_SIGN + 1


def bin_edges() -> np.ndarray:
    """Returns the edges of the bins, ascending, `(NUM_BINS + 1,)`."""
    positive = SMALLEST * GAMMA ** np.arange(BINS_PER_SIGN + 1)
    return np.concatenate([-positive[::-1], positive])


def bin_values() -> np.ndarray:
    """Returns the value that stands for each bin (its middle), ascending, `(NUM_BINS,)`."""
    lower = SMALLEST * GAMMA ** np.arange(BINS_PER_SIGN)
    positive = lower * 2 * GAMMA / (GAMMA + 1)
    return np.concatenate([-positive[::-1], [0.0], positive])
