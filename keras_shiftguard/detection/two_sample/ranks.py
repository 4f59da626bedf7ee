"""Two-sample tests of single features, from their histograms.

All values are ranked together, with ties at their mid-rank, and polynomials of the rank
(`rank_polynomials.py`) split the difference into location, spread and shape. The sum of their
squares, with weights 1 / (j (j + 1)), is the leading part of the Anderson-Darling statistic.

If few samples carry all the information (nearly constant columns), the null distribution is not
nearly normal, and an exact hypergeometric test is used. If there is no histogram, or one that is
too coarse (the spread is far below one percent of the value), means are compared by t-tests.

Reference: Scholz and Stephens, "K-Sample Anderson-Darling Tests", JASA 1987;
Eubank, LaRiccia and Rosenstein, "Test Statistics Derived as Components of
Pearson's Phi-Squared Distance Measure", JASA 1987.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from keras_shiftguard.detection.two_sample.hypergeometric import hypergeometric_two_sided
from keras_shiftguard.detection.two_sample.means import cohens_d, mean_tests
from keras_shiftguard.detection.two_sample.rank_polynomials import (
    DEGREE,
    WEIGHTS,
    components,
    without_empty_bins,
)
from keras_shiftguard.detection.two_sample.tail_probabilities import (
    MIN_SAMPLES,
    SIGMAS,
    SMALLEST_P,
    Floats,
    weighted_chi2_sf,
)
from keras_shiftguard.profiles import BINS_PER_SIGN, NUM_BINS, FeatureTable, bin_values
from keras_shiftguard.profiles.features import COARSE_PER_SIGN, COARSENING, NUM_COARSE_BINS

# Distinct samples of each stream that a feature needs. For windows of a series, the estimate of
# this number is rather too low, and with so few samples only gross differences are significant. A
# convention, checked in docs/benchmarks/false-alarms.md.
MIN_DISTINCT = 4
DOMINANT = ("location", "spread", "shape", "shape")  # what component 0, 1, 2, 3 measures


@dataclass(frozen=True)
class FeatureTests:
    """Results of the tests of `k` features, in the order of the table.

    Args:
        effect_size: Signed effect size; all arrays are `(k,)`. Location: Cohen's
            d, or its analog in ranks if that is larger (heavy tails). Spread and
            shape: difference of the mean rank polynomials, which are in standard
            deviations as well.
        lower: Lower end of the 95 % interval of the effect size.
        upper: Upper end of this interval.
        magnitude: The largest |effect size| of all components, which decides
            whether a difference is negligible.
        p_value: P-value; never 0; 1 if nothing could be tested.
        dominant: The component that differs most: 0, 1, 2 or 3, an index into
            `DOMINANT`.
        tested: Whether there were enough samples and any variation.
    """

    effect_size: Floats
    lower: Floats
    upper: Floats
    magnitude: Floats
    p_value: Floats
    dominant: np.ndarray
    tested: np.ndarray


def compare_features(
    current: FeatureTable, reference: FeatureTable, shares: tuple[float, float] = (1.0, 1.0)
) -> FeatureTests:
    """Tests all features of two tables with the same names.

    A positive effect size means larger values in `current`. `shares` are those of
    `families.Shares`.
    """
    a, b = current.moments, reference.moments
    n, m = a.count * shares[0], b.count * shares[1]
    enough = (np.minimum(a.count, b.count) >= MIN_SAMPLES) & (np.minimum(n, m) >= MIN_DISTINCT)
    effects = np.zeros((len(n), DEGREE))
    effects[:, 0] = cohens_d(a, b, n, m)
    p_value = np.ones(len(n))
    strength = np.zeros((len(n), DEGREE))
    by_mean = enough.copy()
    if current.counts.shape[1] and reference.counts.shape == current.counts.shape:
        ranked = enough & _resolved(current, reference)
        by_mean &= ~ranked
        rows = np.flatnonzero(ranked)
        if len(rows):
            p, z = _rank_tests(current.counts[rows] * shares[0], reference.counts[rows] * shares[1])
            p_value[rows], strength[rows] = p, z**2 * WEIGHTS
            delta = z * np.sqrt(1 / n[rows] + 1 / m[rows])[:, None]
            rank_effect_is_larger = np.abs(delta[:, 0]) > np.abs(effects[rows, 0])
            delta[:, 0] = np.where(rank_effect_is_larger, delta[:, 0], effects[rows, 0])
            effects[rows] = delta
    rows = np.flatnonzero(by_mean)
    if len(rows):
        p_value[rows] = mean_tests(a, b, n, m, rows)
    dominant = strength.argmax(axis=1)
    effect = np.take_along_axis(effects, dominant[:, None], axis=1)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(1 / n + 1 / m + effect**2 / (2 * (n + m)))
    error = np.where(np.isfinite(error), error, np.inf)
    varies = (a + b).m2 > 0
    return FeatureTests(
        effect_size=effect,
        lower=effect - SIGMAS * error,
        upper=effect + SIGMAS * error,
        magnitude=np.abs(effects).max(axis=1, initial=0.0),
        p_value=np.clip(np.where(enough & varies, p_value, 1.0), SMALLEST_P, 1.0),
        dominant=dominant,
        tested=enough & varies,
    )


def _rank_tests(ca: Floats, cb: Floats) -> tuple[Floats, Floats]:
    """Returns p-values `(k,)` and standardized components `(k, DEGREE)`.

    `ca` and `cb` are histograms of the current stream and of the reference, `(k, bins)`.
    """
    ca, cb = without_empty_bins(ca, cb)
    n, m = ca.sum(axis=1), cb.sum(axis=1)
    z, normal, usable = components(ca, cb, n, m)
    p_value = weighted_chi2_sf(WEIGHTS * usable, (normal**2 * usable * WEIGHTS).sum(axis=1))
    two_valued = ((ca + cb) > 0).sum(axis=1) <= 2
    # Rows for which the null distribution is not nearly normal.
    rows = np.flatnonzero(~usable[:, 0] | two_valued)
    if len(rows):
        p_value[rows] = _commonest_value_tests(ca[rows], cb[rows], n[rows], m[rows])
    return p_value, z


def _commonest_value_tests(ca: Floats, cb: Floats, n: Floats, m: Floats) -> Floats:
    """Tests the frequency of the commonest value exactly, and the ranks of the other values.

    The arguments are histograms `(k, bins)` and their sums `(k,)`, as in `components`. Returns
    twice the smaller of the two p-values, where both were tested, `(k,)`.
    """
    rows = np.arange(len(ca))
    mode = (ca + cb).argmax(axis=1)  # bin of the commonest value
    a, b = n - ca[rows, mode], m - cb[rows, mode]  # number of samples with other values
    p_value = hypergeometric_two_sided(a, n, a + b, n + m)
    has_other_values = ((ca + cb) > 0).sum(axis=1) > 2
    rest = np.flatnonzero(has_other_values & (a >= MIN_SAMPLES) & (b >= MIN_SAMPLES))
    if len(rest):
        others_a, others_b = ca[rest].copy(), cb[rest].copy()
        others_a[np.arange(len(rest)), mode[rest]] = 0
        others_b[np.arange(len(rest)), mode[rest]] = 0
        _, normal, usable = components(others_a, others_b, a[rest], b[rest])
        p = weighted_chi2_sf(WEIGHTS * usable, (normal**2 * usable * WEIGHTS).sum(axis=1))
        p = np.where(usable.any(axis=1), p, 1.0)
        p_value[rest] = np.minimum(1.0, 2 * np.minimum(p_value[rest], p))
    return p_value


@lru_cache(maxsize=2)
def _values(bins: int) -> Floats:
    """Returns the value that represents each bin of the fine or the coarse grid."""
    if bins == NUM_BINS:
        return bin_values()
    fine = np.abs(bin_values()[BINS_PER_SIGN + 1 :])
    coarse = fine[
        np.minimum(np.arange(COARSE_PER_SIGN) * COARSENING + COARSENING // 2, len(fine) - 1)
    ]
    values = np.concatenate([-coarse[::-1], [0.0], coarse])
    assert len(values) == NUM_COARSE_BINS
    return values


def _resolved(a: FeatureTable, b: FeatureTable) -> np.ndarray:
    """Whether each histogram is fine enough: it gives about the variance of the moments, `(k,)`.

    Both variances are of both streams together, so that the choice of the test does not
    depend on its outcome. They may differ by a factor of 2 (e^0.7) on the fine grid, and
    of 3 (e^1.1) on the coarse one.
    """
    both = a.moments + b.moments
    exact = both.m2 / np.maximum(both.count, 1)
    counts = (a.counts + b.counts).astype("float64")
    values = _values(counts.shape[1])
    total = np.maximum(counts.sum(axis=1), 1)
    mean = counts @ values / total
    from_bins = counts @ values**2 / total - mean**2
    return np.where(
        exact > 0,
        np.abs(np.log(np.maximum(from_bins, 1e-300) / np.maximum(exact, 1e-300)))
        < (0.7 if counts.shape[1] == NUM_BINS else 1.1),
        False,
    )
