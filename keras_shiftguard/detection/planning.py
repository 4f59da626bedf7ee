"""Sample sizes: how many samples are needed to detect a shift."""

import math
from statistics import NormalDist

from keras_shiftguard.detection.two_sample.ranks import MIN_SAMPLES

POWER = 0.8  # probability with which the difference is detected
TYPICAL_FEATURES = 30  # about the number of attributes that are tested for images


def samples_for(effect_size: float, level: float, num_tests: int = TYPICAL_FEATURES) -> int:
    """Returns how many samples of each stream detect a difference with a power of 80 %.

    The number holds for a two-sided test of the difference of two means of equal spread, at
    `level` divided by the number of tests (Bonferroni). The tests of this package need
    about as many samples for one shifted feature, and fewer if many move together.

    Reference: Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988,
    section 2.4.

    Args:
        effect_size: Difference of the means, in standard deviations between samples.
        level: False-alarm rate of all tests together.
        num_tests: Number of features that are tested.

    Example:

    >>> samples_for(0.5, 0.05), samples_for(0.2, 0.05)
    (128, 795)
    """
    normal = NormalDist()
    # The lower quantile is used, since 1 minus a tiny level is rounded to 1, which has no quantile.
    num_standard_errors = normal.inv_cdf(POWER) - normal.inv_cdf(max(level / num_tests / 2, 1e-300))
    return max(MIN_SAMPLES, math.ceil(2 * (num_standard_errors / effect_size) ** 2))


def needs_in_words(level: float) -> str:
    """Returns a sentence on how many samples a comparison at this false-alarm rate needs."""
    return (
        f"It needs {MIN_SAMPLES} samples of each dataset; {samples_for(0.5, level):,} reveal a "
        "difference of half a standard deviation."
    )
