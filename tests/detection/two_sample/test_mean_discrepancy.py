"""Two-sample test of mean embeddings: calibration, power and effect sizes."""

import math

import numpy as np
import pytest
from benchmarks.detection_calibration import embedding

from keras_shiftguard.detection.two_sample.mean_discrepancy import MIN_SAMPLES, compare_embeddings
from keras_shiftguard.profiles import MeanEmbedding

RNG = np.random.default_rng(0)


@pytest.mark.thorough
@pytest.mark.parametrize("sizes", [(20, 20), (25, 300), (150, 150)])
def test_p_values_are_not_smaller_than_uniform(sizes):
    only = _chosen(lambda k: RNG.normal(size=(k, 40)))
    pairs = ([embedding(RNG.normal(size=(k, 40)), only) for k in sizes] for _ in range(150))
    p = np.array([compare_embeddings(*pair).p_value for pair in pairs])
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


def test_small_empty_and_constant_streams_are_not_tested():
    a = embedding(RNG.normal(size=(MIN_SAMPLES - 1, 5)))
    b = embedding(RNG.normal(5, 1, (100, 5)))
    assert not compare_embeddings(a, b).tested
    assert not compare_embeddings(MeanEmbedding(), b).tested
    assert not compare_embeddings(embedding(np.ones((50, 5))), embedding(np.ones((50, 5)))).tested


def _full(a, b):
    return compare_embeddings(embedding(a), embedding(b))


def _chosen(draw):
    from keras_shiftguard.profiles.embedding import BANDWIDTHS

    return BANDWIDTHS.index(_full(draw(300), draw(300)).bandwidth)


def test_no_p_value_is_below_the_chance_of_the_very_same_split():
    test = _full(RNG.normal(50, 1, (20, 4)), RNG.normal(size=(25, 4)))
    assert test.p_value == pytest.approx(1 / math.comb(45, 20), rel=1e-6, abs=0)
