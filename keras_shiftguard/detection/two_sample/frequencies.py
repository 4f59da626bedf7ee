"""Two-sample test of class or token counts: whether two streams have the same mix.

The statistic is Pearson's chi2 of the 2 x k table, with a bounded weight for classes so rare
that the smaller stream is expected to hold less than one sample of them. Its null distribution is
approximated by a shifted gamma distribution with the mean, the variance and nearly the skewness
of the statistic when the samples are divided at random. The approximation is accurate even
for 10,000 classes and 20 samples. If hardly any two samples are of the same rare class, rare
classes with similar totals are pooled. A table of two classes is tested exactly.

Reference: Cohen, "Statistical Power Analysis", 1988 (effect size w); Haldane,
"The mean and variance of chi2 when used as a test of homogeneity, when
expectations are small", Biometrika 1940.
"""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.tail_probabilities import (
    MIN_SAMPLES,
    SIGMAS,
    Floats,
    gamma_sf,
)

# A class is rare if the smaller stream should hold fewer samples of it. A convention, checked in
# docs/benchmarks/false-alarms.md.
MIN_EXPECTED_COUNT = 2.0
# Rare classes are pooled if the smaller stream is expected to hold fewer pairs of samples of the
# same rare class than this. A convention, checked in docs/benchmarks/false-alarms.md.
MIN_EXPECTED_PAIRS = 10.0


@dataclass(frozen=True)
class FrequencyTest:
    """Result of the test of two vectors of counts.

    Args:
        effect_size: Cohen's w, without what is expected by chance; not negative.
        interval: Approximate 95 % interval of the effect size.
        total_variation: Half the sum of the absolute differences of the classes'
            shares.
        p_value: P-value; never 0; 1 if nothing could be tested.
        residuals: Difference of each class's share in standard errors, `(k,)`;
            positive if the share is larger in `current`.
        shares: Share of each class in `current` and in `reference`, `(2, k)`.
        tested: Whether there were enough samples and more than one class.
    """

    effect_size: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)
    total_variation: float = 0.0
    p_value: float = 1.0
    residuals: Floats = field(default_factory=lambda: np.zeros(0))
    shares: Floats = field(default_factory=lambda: np.zeros((2, 0)))
    tested: bool = False

    def most_changed(self, at_least: float = 2.0) -> list[int]:
        """Returns the classes with a |residual| of `at_least` or more, the largest first."""
        order = np.argsort(-np.abs(self.residuals))
        return [int(i) for i in order if abs(self.residuals[i]) >= at_least]


def compare_frequencies(
    current: np.ndarray, reference: np.ndarray, shares: tuple[float, float] = (1.0, 1.0)
) -> FrequencyTest:
    """Tests two vectors of counts, `(k,)` each.

    `shares` are those of `families.Shares`. Nothing is tested with fewer than `MIN_SAMPLES`
    distinct samples or with a single class.
    """
    a, b = current * float(shares[0]), reference * float(shares[1])
    n, m = float(a.sum()), float(b.sum())
    if min(n, m) < MIN_SAMPLES or ((a + b) > 0).sum() < 2:
        return FrequencyTest()
    pa, pb = a / n, b / m
    pooled = (a + b) / (n + m)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        residuals = np.where(error > 0, (pa - pb) / error, 0.0)
    p_value, squared_effect = _test(*_pooled(a, b, n, m), n, m)
    effect = float(np.sqrt(squared_effect))
    margin = SIGMAS * float(np.sqrt(1 / n + 1 / m))
    return FrequencyTest(
        effect_size=effect,
        interval=(max(effect - margin, 0.0), effect + margin),
        total_variation=float(np.abs(pa - pb).sum() / 2),
        p_value=p_value,
        residuals=residuals,
        shares=np.stack([pa, pb]),
        tested=True,
    )


def _pooled(a: Floats, b: Floats, n: float, m: float) -> tuple[Floats, Floats]:
    """Returns the counts without empty classes, and with rare classes pooled if necessary.

    Only the sum of both streams decides which classes are pooled, so that the test stays valid.
    """
    seen = (a + b) > 0
    a, b = a[seen], b[seen]
    both, smaller = a + b, min(n, m)
    share = both / (n + m)
    rare = share * smaller < MIN_EXPECTED_COUNT
    pairs = float((share[rare] ** 2).sum()) * smaller**2 / 2
    if rare.any() and pairs < MIN_EXPECTED_PAIRS:
        # So few pairs are no evidence, but new or vanished classes are. So the rare classes with
        # about the same total are pooled in one cell. Each other class has a cell of its own.
        cell = np.where(rare, np.floor(np.log2(np.maximum(both, 1))), 1000 + np.arange(len(both)))
        _, cell_index = np.unique(cell, return_inverse=True)
        a, b = (np.bincount(cell_index, x).astype("float64") for x in (a, b))
        # Cells that are still too small are merged, the smallest first.
        order = np.argsort(a + b, kind="stable")
        a, b = a[order], b[order]
        expected = np.cumsum(a + b) * (smaller / (n + m))  # count of the first cells together
        num_merged = int(np.searchsorted(expected, MIN_EXPECTED_COUNT)) + 1
        a = np.append(a[:num_merged].sum(), a[num_merged:])
        b = np.append(b[:num_merged].sum(), b[num_merged:])
    return a, b


def _test(a: Floats, b: Floats, n: float, m: float) -> tuple[float, float]:
    """Returns the p-value, and the squared effect size minus its expectation by chance.

    `n` and `m` are the sums of the counts `a` and `b`, `(k,)`.
    """
    c, total = a + b, n + m
    f = n / total  # the share of the samples that are in `current`
    x = a - c * f  # deviation of each count from its expectation
    # The weight of each squared deviation x**2: Pearson's, bounded for rare classes.
    g = 1 / (np.maximum(c, total / min(n, m)) * f * (1 - f))
    statistic = float(g @ x**2)
    if len(a) == 1:
        return 1.0, 0.0
    # Cumulants of the counts if every sample is in `current` with probability f, given that
    # n of them are.
    v = c * f * (1 - f)
    v_sum = v.sum()
    rescale = total / (total - 1)
    mean = float((g * v * (1 - v / v_sum)).sum()) * rescale
    fourth = v * (1 - 6 * f * (1 - f))
    third = v * (1 - 2 * f)
    normal_part = g @ (g * v**2) - 2 * (g**2 @ v**3) / v_sum + ((g @ v**2) / v_sum) ** 2
    discrete_part = g**2 @ fourth - (g @ third) ** 2 / v_sum
    variance = float(2 * normal_part + max(discrete_part, 0.0))
    squared_effect = max(statistic - mean, 0.0) * (1 / n + 1 / m)
    if len(a) == 2:
        p = float(hypergeometric_two_sided(a[:1], n, c[:1], total)[0])
        return p, squared_effect
    # With few samples the tail is longer than that of a gamma distribution of this mean and
    # variance: the third cumulant of the multinomial statistic is about 1 + (k - 3) / n times as
    # large.
    skewness_factor = 1 + max(float(g @ v) - 3, 0.0) * (1 - 2 * f) ** 2 / min(n, m)
    shape = mean**2 / variance / skewness_factor**2
    standardised = (statistic - mean) / np.sqrt(variance)
    return float(gamma_sf(shape + standardised * np.sqrt(shape), shape)), squared_effect
