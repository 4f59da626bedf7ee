"""Tail probabilities, compared with SciPy, closed forms and simulation."""

import tracemalloc

import numpy as np
import pytest

from keras_shiftguard.detection.two_sample.hypergeometric import (
    hypergeometric_tails,
    hypergeometric_two_sided,
)
from keras_shiftguard.detection.two_sample.tail_probabilities import (
    SMALLEST_P,
    gamma_sf,
    normal_sf,
    share_sf,
    student_t_sf,
    weighted_chi2_sf,
)

stats = pytest.importorskip("scipy.stats")
TAILS = np.array([0.999, 0.9, 0.5, 0.1, 1e-2, 1e-4, 1e-8, 1e-20, 1e-100])


@pytest.mark.parametrize("shape", [0.3, 0.5, 1, 1.5, 4.5, 25, 500, 5000])
def test_gamma_is_right_from_the_body_to_the_far_tail(shape):
    x = stats.gamma(shape).isf(TAILS)
    np.testing.assert_allclose(gamma_sf(x, shape), TAILS, rtol=2e-3)


@pytest.mark.parametrize(
    "weights", [1 / np.array([2, 6, 12, 20.0]), 0.7 ** np.arange(60), np.r_[1, np.full(99, 1e-2)]]
)
def test_weighted_chi2_against_simulation(weights):
    rng = np.random.default_rng(0)
    draws = sum(w * rng.standard_normal(200_000) ** 2 for w in weights)
    for p in (0.9, 0.5, 0.1, 1e-2, 1e-3):
        got = float(weighted_chi2_sf(weights, np.quantile(draws, 1 - p)))
        assert got == pytest.approx(p, abs=4 * np.sqrt(p / 200_000))


def test_nothing_is_ever_zero():
    assert float(weighted_chi2_sf([1.0], 1e9)) == SMALLEST_P
    assert float(normal_sf(1e3)) == SMALLEST_P
    assert float(student_t_sf(1e200, 1000)) > 0
    lower, upper = hypergeometric_tails(5000, 5000, 5000, 10_000)
    assert lower[0] == 1 and upper[0] > 0


def test_normal_and_student_t():
    z = np.array([-2.0, 0.0, 1.0, 5.0, 30.0])
    np.testing.assert_allclose(normal_sf(z), stats.norm.sf(z), rtol=1e-6)
    for degrees in (5, 30, 1e5):
        got, right = student_t_sf(z, degrees), stats.t.sf(z, degrees)
        np.testing.assert_allclose(got, right, rtol=1e-3, atol=1e-290)
        np.testing.assert_allclose(got[3:], right[3:], rtol=1e-6, atol=1e-290)


def test_hypergeometric_tails_of_many_at_once():
    drawn, size, marked, total = (
        np.array(a) for a in ([3, 0, 40], [10, 20, 60], [20, 5, 500], [100, 1000, 5000])
    )
    lower, upper = hypergeometric_tails(drawn, size, marked, total)
    np.testing.assert_allclose(lower, stats.hypergeom.cdf(drawn, total, marked, size), rtol=1e-9)
    np.testing.assert_allclose(upper, stats.hypergeom.sf(drawn - 1, total, marked, size), rtol=1e-9)
    both = hypergeometric_two_sided(drawn, size, marked, total)
    np.testing.assert_allclose(both, np.minimum(1, 2 * np.minimum(lower, upper)))


def test_hypergeometric_tails_of_millions_and_more_take_bounded_memory():
    # The first tail is summed around the mean. The second has too many terms for a sum, so the
    # normal distribution is used.
    millions, more = (1_000_700, 2_000_000, 2_000_000, 4_000_000), (2**49 + 2**26, *[2**50] * 2)
    tracemalloc.start()
    lower, upper = hypergeometric_tails(*zip(millions, (*more, 2**51), strict=True))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 200e6
    drawn, size, marked, total = millions
    assert upper[0] == pytest.approx(stats.hypergeom.sf(drawn - 1, total, marked, size), rel=1e-6)
    z = 2**26 / np.sqrt(2**51 / 16)
    np.testing.assert_allclose([lower[1], upper[1]], [stats.norm.cdf(z), stats.norm.sf(z)], 1e-3)


def test_the_share_of_a_random_direction():
    # One coordinate's share of the squared length has a beta distribution. In many dimensions, a
    # weighted share times their number is nearly a weighted chi2 variable.
    for x in (0.05, 0.3, 0.9):
        exact = stats.beta(0.5, 4.5).sf(x)
        assert share_sf([1.0], 10, x) == pytest.approx(exact, rel=1e-3, abs=0)
    weights = 0.8 ** np.arange(30)
    many = float(weighted_chi2_sf(weights, 20.0))
    assert share_sf(weights, 1e7, 20.0 / 1e7) == pytest.approx(many, rel=1e-3, abs=0)
    rng = np.random.default_rng(0)
    squares = rng.standard_normal((100_000, 40)) ** 2
    shares = squares[:, :30] @ weights / squares.sum(axis=1)
    for p in (0.9, 0.3, 1e-2):
        got = share_sf(weights, 40, float(np.quantile(shares, 1 - p)))
        assert got == pytest.approx(p, abs=4 * np.sqrt(p / 100_000))
    assert share_sf([1.0, 0.5], 5, 2.0) > 0
