"""Class and token counts: do two streams have the same mix?

Pearson's statistic of the 2 x k table, with a denominator that is softened for
classes so rare that the smaller stream should hold less than one of them. Its
null is a shifted gamma distribution with the mean, the variance and nearly the
skewness that it has when the samples are dealt out at random, which holds for
10,000 classes and 20 samples as well. Where even coincidences among rare
classes are too few for that, rare classes of similar totals are pooled. A table
of two cells is tested exactly.

Reference: Cohen, "Statistical Power Analysis", 1988 (effect size w); Haldane,
"The mean and variance of chi2 when used as a test of homogeneity, when
expectations are small", Biometrika 1940.
"""

from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import (
    Floats,
    gamma_sf,
    hypergeometric_two_sided,
)

MIN_SAMPLES = 10  # in each stream; below, no mix is tested
LEAST_EXPECTED = 2.0  # of a class that is a cell of its own, in the smaller stream
LEAST_PAIRS = 10.0  # expected pairs of equal rare classes in the smaller stream
# A mix counts as judged if the test would find an effect that Cohen calls large,
# such as that of a fifth of the classes missing, in four of five cases at p = .003
# (2.75 + 0.84 standard deviations of the statistic, and what rare classes cost:
# measured, 4.2). Said of many classes only.
LARGE, DEVIATIONS, MANY = 0.5, 4.2, 50


@dataclass(frozen=True)
class FrequencyTest:
    """Result for one pair of counts.

    Args:
        effect_size: Cohen's w, less what chance alone would give; not negative.
        interval: 95 % interval of the effect size, approximately.
        total_variation: Half the summed differences of the shares.
        p_value: Never 0; 1 where nothing could be tested.
        residuals: Standardised difference of each class's share, `(k,)`: how
            many standard errors above (in `current`) or below it is.
        shares: Share of each class in `current` and `reference`, `(2, k)`.
        tested: Whether there were enough samples and more than one class.
        num_samples: Evidence in `(current, reference)`.
        num_classes: Classes that either of them has.
        num_likely: Classes that there are, with those not seen yet (Chao, "Nonparametric
            estimation of the number of classes in a population", 1984).
    """

    effect_size: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)
    total_variation: float = 0.0
    p_value: float = 1.0
    residuals: Floats = field(default_factory=lambda: np.zeros(0))
    shares: Floats = field(default_factory=lambda: np.zeros((2, 0)))
    tested: bool = False
    num_samples: tuple[float, float] = (0.0, 0.0)
    num_classes: int = 0
    num_likely: float = 0.0

    def most_changed(self, at_least: float = 2.0) -> list[int]:
        """Classes by the size of their residual, the most changed first."""
        order = np.argsort(-np.abs(self.residuals))
        return [int(i) for i in order if abs(self.residuals[i]) >= at_least]


def compare_frequencies(
    current: np.ndarray, reference: np.ndarray, shares: tuple[float, float] = (1.0, 1.0)
) -> FrequencyTest:
    """Tests two vectors of counts, `(k,)` each.

    Args:
        current: Counts of what may differ.
        reference: Counts of what it is compared with.
        shares: Distinct samples over samples counted, of each: evidence.

    Returns:
        The result; untested below `MIN_SAMPLES` or with a single class.
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
    p_value, beyond = _test(*_pooled(a, b, n, m), n, m)
    effect = float(np.sqrt(beyond))
    margin = 1.96 * float(np.sqrt(1 / n + 1 / m))
    return FrequencyTest(
        effect_size=effect,
        interval=(max(effect - margin, 0.0), effect + margin),
        total_variation=float(np.abs(pa - pb).sum() / 2),
        p_value=p_value,
        residuals=residuals,
        shares=np.stack([pa, pb]),
        tested=True,
        num_samples=(n, m),
        num_classes=int(((a + b) > 0).sum()),
        num_likely=_likely_classes(a + b),
    )


def _likely_classes(counts: Floats) -> float:
    """Seen ones, and as many more as the rarest of them tell."""
    once, twice = float((np.ceil(counts) == 1).sum()), float((np.ceil(counts) == 2).sum())
    return float((counts > 0).sum()) + once * (once - 1) / (2 * (twice + 1))


def samples_needed(test: FrequencyTest) -> tuple[int, bool] | None:
    """How many samples a stream needs before a large change of its mix shows.

    With thousands of classes and a sample or two of each, no test of their mix has
    power, and a report without a finding would say too much.

    Args:
        test: The result for the two streams.

    Returns:
        Samples, and whether both streams need so many rather than the smaller one.
        None where there are enough, with fewer than `MANY` classes (their mix needs
        no more samples than anything else), and where a shift of the mix is plain.
    """
    if not test.tested or test.num_classes < MANY or test.p_value < 1e-3:
        return None
    # The statistic has a standard deviation of sqrt(2 k), and grows by
    # w^2 / (1 / n + 1 / m): Cohen's noncentrality.
    errors = LARGE**2 / (DEVIATIONS * np.sqrt(2 * test.num_likely))
    if sum(1 / n for n in test.num_samples) <= errors:
        return None
    larger = 1 / max(test.num_samples)
    both = larger > errors / 2
    return int(np.ceil(2 / errors if both else 1 / (errors - larger))), bool(both)


def cannot_judge(what: str, streams: tuple[str, str], test: FrequencyTest) -> str | None:
    """A note for the report where the classes are too many for the samples.

    Args:
        what: What is counted, such as `"labels"`.
        streams: How the sentence calls `(current, reference)`.
        test: The result for the two.
    """
    needed = samples_needed(test)
    if needed is None:
        return None
    smaller = int(np.argmin(test.num_samples))
    return (
        f"{what}: {int(test.num_samples[smaller]):,} samples in {streams[smaller]} over "
        f"{test.num_classes:,} classes cannot judge whether their mix changed (a fifth of the "
        f"classes could be missing); that needs about {_rounded(needed[0]):,}"
        + (" in each stream" if needed[1] else "")
    )


def _rounded(number: int) -> int:
    """Up to two digits: the rest would be false precision."""
    unit = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def _pooled(a: Floats, b: Floats, n: float, m: float) -> tuple[Floats, Floats]:
    """Counts without empty classes, and with rare ones put together where need be.

    Decided by both streams together only.
    """
    seen = (a + b) > 0
    a, b = a[seen], b[seen]
    c, smaller = a + b, min(n, m)
    share = c / (n + m)
    rare = share * smaller < LEAST_EXPECTED
    pairs = float((share[rare] ** 2).sum()) * smaller**2 / 2
    if rare.any() and pairs < LEAST_PAIRS:
        # So few coincidences tell nothing; that classes are new (or have become
        # rare) does: rare classes of about the same total are one cell.
        cell = np.where(rare, np.floor(np.log2(np.maximum(c, 1))), 1000 + np.arange(len(c)))
        _, which = np.unique(cell, return_inverse=True)
        a, b = (np.bincount(which, x).astype("float64") for x in (a, b))
        # Cells that are still too small join, from the smallest up.
        order = np.argsort(a + b, kind="stable")
        a, b = a[order], b[order]
        together = np.cumsum(a + b) * (smaller / (n + m))
        first = int(np.searchsorted(together, LEAST_EXPECTED)) + 1
        a = np.append(a[:first].sum(), a[first:])
        b = np.append(b[:first].sum(), b[first:])
    return a, b


def _test(a: Floats, b: Floats, n: float, m: float) -> tuple[float, float]:
    """P-value, and the squared effect size beyond chance."""
    c, total = a + b, n + m
    f = n / total
    x = a - c * f
    # Of the squared deviation: Pearson's weight, bounded for rare classes.
    g = 1 / (np.maximum(c, total / min(n, m)) * f * (1 - f))
    t = float(g @ x**2)
    if len(a) == 1:
        return 1.0, 0.0
    # Cumulants of the counts if every sample went to `current` with chance f,
    # given that n did.
    v = c * f * (1 - f)
    together = v.sum()
    rescale = total / (total - 1)
    mean = float((g * v * (1 - v / together)).sum()) * rescale
    fourth = v * (1 - 6 * f * (1 - f))
    third = v * (1 - 2 * f)
    gaussian = g @ (g * v**2) - 2 * (g**2 @ v**3) / together + ((g @ v**2) / together) ** 2
    lumps = g**2 @ fourth - (g @ third) ** 2 / together
    variance = float(2 * gaussian + max(lumps, 0.0))
    beyond = max(t - mean, 0.0) * (1 / n + 1 / m)
    if len(a) == 2:
        p = float(hypergeometric_two_sided(a[:1], n, c[:1], total)[0])
        return p, beyond
    # With few samples the tail is longer than a gamma's of that mean: of the
    # multinomial statistic the third cumulant is about (1 + (k - 3) / n) as large.
    longer = 1 + max(float(g @ v) - 3, 0.0) * (1 - 2 * f) ** 2 / min(n, m)
    shape = mean**2 / variance / longer**2
    standardised = (t - mean) / np.sqrt(variance)
    return float(gamma_sf(shape + standardised * np.sqrt(shape), shape)), beyond
