"""How many samples a verdict needs, before there are any."""

import math
from statistics import NormalDist

from keras_shiftguard.detection.two_sample.ranks import MIN_SAMPLES

POWER = 0.8
ABOUT_FEATURES = 30  # of an image; columns count for themselves


def samples_for(effect_size: float, level: float, num_tests: int = ABOUT_FEATURES) -> int:
    """Samples of each of two streams that show a difference with 80 % power.

    For the difference of two means of equal spread, tested two-sided at `level`
    divided by the number of tests (Bonferroni); Cohen, "Statistical Power Analysis
    for the Behavioral Sciences", 1988, section 2.4. The tests of this package need
    about as many for a shifted feature, fewer for one of many that move together.

    Args:
        effect_size: Difference in standard deviations between samples.
        level: False-alarm rate of the look, all its tests together.
        num_tests: How many features are tested.

    Example:

    >>> samples_for(0.5, 0.05), samples_for(0.2, 0.05)
    (128, 795)
    """
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - level / num_tests / 2) + normal.inv_cdf(POWER)
    return max(MIN_SAMPLES, math.ceil(2 * (quantiles / effect_size) ** 2))


def needs_in_words(level: float) -> str:
    """What a first look at that level needs, in one sentence."""
    half, fifth = samples_for(0.5, level), samples_for(0.2, level)
    return (
        f"A shift is looked for from {MIN_SAMPLES} samples in each stream on; about {half:,} show "
        f"one of half a standard deviation, {fifth:,} one of a fifth."
    )
