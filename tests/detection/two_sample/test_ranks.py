"""Two-sample tests of single features: calibration, effect sizes and special columns."""

import numpy as np
import pytest
from benchmarks.detection_calibration import table

from keras_shiftguard.detection.two_sample.ranks import compare_features

RNG = np.random.default_rng(0)


def compared(current, reference, **kwargs):
    return compare_features(table(np.asarray(current)), table(np.asarray(reference)), **kwargs)


def test_location_has_cohens_d_its_sign_and_an_interval_that_holds_it():
    found = compared(RNG.normal(0.8, 2, (400, 3)), RNG.normal(0, 2, (900, 3)))
    assert (found.dominant == 0).all() and (found.p_value < 1e-4).all()
    assert (found.lower < 0.4).all() and (found.upper > 0.4).all()
    np.testing.assert_allclose(found.effect_size, 0.4, atol=0.2)
    opposite = compared(RNG.normal(-0.8, 2, (400, 1)), RNG.normal(0, 2, (900, 1)))
    assert opposite.effect_size[0] < -0.2


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


@pytest.mark.parametrize("offset", [1e4, 1.7e9])
def test_a_spread_below_the_grid_is_tested_by_the_means(offset):
    same = compared(offset + RNG.normal(size=(300, 200)), offset + RNG.normal(size=(300, 200)))
    assert 0.005 < (same.p_value <= 0.05).mean() < 0.12
    moved = compared(offset + 0.6 + RNG.normal(size=(300, 5)), offset + RNG.normal(size=(300, 5)))
    assert (moved.p_value < 1e-6).all()


def test_two_different_constants_differ():
    found = compared(np.full((50, 1), 1000.0), np.full((80, 1), 1000.5))
    assert found.tested[0] and 0 < found.p_value[0] < 1e-20
