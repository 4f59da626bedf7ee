"""Two-sample tests of single features: calibration, effect sizes and special columns."""

import numpy as np
import pytest
from benchmarks.detection_calibration import table

from keras_shiftguard.detection.two_sample.ranks import (
    MIN_SAMPLES,
    compare_features,
)

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def the_same_random_numbers_for_each_test():
    """Seeds each test, so that its random numbers do not depend on earlier tests."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def compared(current, reference, **kwargs):
    return compare_features(table(np.asarray(current)), table(np.asarray(reference)), **kwargs)


def test_location_has_cohens_d_its_sign_and_an_interval_that_holds_it():
    found = compared(RNG.normal(0.8, 2, (400, 3)), RNG.normal(0, 2, (900, 3)))
    assert (found.dominant == 0).all() and (found.p_value < 1e-4).all()
    assert (found.lower < 0.4).all() and (found.upper > 0.4).all()
    np.testing.assert_allclose(found.effect_size, 0.4, atol=0.2)
    opposite = compared(RNG.normal(-0.8, 2, (400, 1)), RNG.normal(0, 2, (900, 1)))
    assert opposite.effect_size[0] < -0.2


@pytest.mark.parametrize("moved", [-2.0, 0.0, 2.0])
def test_if_nearly_all_values_are_equal_the_others_are_ranked_on_their_own(moved):
    # In each stream, one value in two hundred is not zero. Only these values differ.
    rng = np.random.default_rng(1)
    a, b = np.zeros((6000, 1)), np.zeros((12000, 1))
    a[:30, 0] = rng.normal(5 + moved, 1, 30)
    b[:60, 0] = rng.normal(5, 1, 60)
    p = compared(a, b).p_value[0]
    assert p < 1e-3 if moved else p > 0.01


def test_spread_and_shape_are_distinguished_from_location():
    reference = RNG.normal(size=(2000, 1))
    wider = compared(RNG.normal(0, 1.4, (2000, 1)), reference)
    assert wider.dominant[0] == 1 and wider.p_value[0] < 1e-8 and wider.effect_size[0] > 0.1
    two_humps = RNG.choice([-1, 1], (2000, 1)) * 0.95 + RNG.normal(0, 0.3, (2000, 1))
    shape = compared(two_humps, reference)
    assert shape.dominant[0] >= 1 and shape.p_value[0] < 1e-8


@pytest.mark.parametrize(
    "draw",
    [
        lambda shape: RNG.normal(size=shape),
        lambda shape: RNG.lognormal(0, 2, shape),
        lambda shape: (RNG.random(shape) < 0.5) * 1.0,
        lambda shape: (RNG.random(shape) < 0.03) * 1.0,
        lambda shape: np.where(RNG.random(shape) < 0.8, 0, RNG.lognormal(size=shape)),
        lambda shape: RNG.poisson(0.3, shape) * 1.0,
        lambda shape: 1e4 + RNG.lognormal(size=shape),
    ],
    ids=["normal", "lognormal", "binary", "rare", "zeros", "counts", "far from zero"],
)
@pytest.mark.parametrize("sizes", [(20, 400), (60, 60)])
def test_p_values_are_not_smaller_than_uniform(draw, sizes):
    n, m = sizes
    p = compared(draw((n, 2000)), draw((m, 2000))).p_value
    for u in (1e-3, 0.01, 0.05, 0.2):
        assert (p <= u).mean() <= u + 3.5 * np.sqrt(u / len(p))


def test_constant_columns_and_too_few_samples_are_not_tested():
    found = compared(np.ones((50, 2)), np.ones((80, 2)))
    assert not found.tested.any() and (found.p_value == 1).all()
    few = compared(RNG.normal(size=(MIN_SAMPLES - 1, 1)), RNG.normal(9, 1, (500, 1)))
    assert not few.tested[0] and few.p_value[0] == 1


@pytest.mark.parametrize("offset", [1e4, 1.7e9])
def test_a_spread_below_the_grid_is_tested_by_the_means(offset):
    same = compared(offset + RNG.normal(size=(300, 200)), offset + RNG.normal(size=(300, 200)))
    assert 0.005 < (same.p_value <= 0.05).mean() < 0.12
    moved = compared(offset + 0.6 + RNG.normal(size=(300, 5)), offset + RNG.normal(size=(300, 5)))
    assert (moved.p_value < 1e-6).all()


def test_ten_thousand_features_with_moments_only_are_tested():
    a, b = RNG.normal(size=(60, 10_000)), RNG.normal(size=(60, 10_000))
    a[:, 7] += 2
    found = compared(a, b)
    assert found.p_value[7] < 1e-8 and found.p_value[7] == found.p_value.min()
