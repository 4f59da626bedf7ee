"""Two-sample test of mean embeddings: calibration, power and effect sizes."""

import math

import numpy as np
import pytest
from benchmarks.detection_calibration import embedding

from keras_shiftguard.detection.two_sample.mean_discrepancy import MIN_SAMPLES, compare_embeddings
from keras_shiftguard.profiles import MeanEmbedding

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def the_same_random_numbers_for_each_test():
    """Seeds each test, so that its random numbers do not depend on earlier tests."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def test_the_bandwidth_is_that_of_the_pooled_projections():
    found = compare_embeddings(
        embedding(RNG.normal(size=(100, 30))), embedding(RNG.normal(size=(200, 30)))
    )
    assert found.tested and found.bandwidth in (1.0, 4.0)
    assert (
        compare_embeddings(
            embedding(RNG.normal(size=(100, 30))), embedding(RNG.normal(size=(200, 30)), None)
        ).bandwidth
        == found.bandwidth
    )


@pytest.mark.thorough
@pytest.mark.parametrize("sizes", [(20, 20), (25, 300), (150, 150)])
def test_p_values_are_not_smaller_than_uniform(sizes):
    n, m = sizes
    only = _chosen(lambda k: RNG.normal(size=(k, 40)))
    p = np.array(
        [
            compare_embeddings(
                embedding(RNG.normal(size=(n, 40)), only), embedding(RNG.normal(size=(m, 40)), only)
            ).p_value
            for _ in range(150)
        ]
    )
    assert p.min() > 0
    for u in (0.01, 0.05, 0.2):
        assert (p <= u).mean() <= u + 3.2 * np.sqrt(u / len(p))
    assert np.median(p) < 0.75


def test_diffuse_and_fine_shifts_are_found():
    reference = RNG.normal(size=(800, 40))
    diffuse = RNG.normal(0.15, 1, (400, 40))
    assert _full(diffuse, reference).p_value < 1e-4
    scales = np.exp(RNG.normal(size=40))
    fine = (RNG.normal(size=(400, 40)) + 0.25 * (scales < 1)) * scales
    assert _full(fine, reference * scales).p_value < 1e-4
    rotated = RNG.normal(size=(400, 40)) @ (np.eye(40) + 0.3)
    assert _full(rotated, reference).p_value < 1e-6


def test_the_effect_does_not_grow_with_the_sample():
    effects = [
        _full(RNG.normal(0.3, 1, (n, 20)), RNG.normal(size=(n, 20))).effect_size
        for n in (200, 1500)
    ]
    assert 0.3 < effects[1] / effects[0] < 2


def test_small_empty_and_constant_streams_are_not_tested():
    a = embedding(RNG.normal(size=(MIN_SAMPLES - 1, 5)))
    b = embedding(RNG.normal(5, 1, (100, 5)))
    assert not compare_embeddings(a, b).tested
    assert not compare_embeddings(MeanEmbedding(), b).tested
    assert not compare_embeddings(embedding(np.ones((50, 5))), embedding(np.ones((50, 5)))).tested


def test_copies_are_no_evidence():
    a, b = RNG.normal(0.1, 1, (60, 8)), RNG.normal(size=(60, 8))
    once, copied = (
        _full(a, b),
        compare_embeddings(embedding(np.repeat(a, 20, axis=0)), embedding(b), shares=(0.05, 1.0)),
    )
    assert copied.p_value == pytest.approx(once.p_value, rel=1e-3, abs=0)


def _full(a, b):
    return compare_embeddings(embedding(a), embedding(b))


def _chosen(draw):
    from keras_shiftguard.profiles.embedding import BANDWIDTHS

    return BANDWIDTHS.index(_full(draw(300), draw(300)).bandwidth)


def test_no_p_value_is_below_the_chance_of_the_very_same_split():
    test = _full(RNG.normal(50, 1, (20, 4)), RNG.normal(size=(25, 4)))
    assert test.p_value == pytest.approx(1 / math.comb(45, 20), rel=1e-6, abs=0)
