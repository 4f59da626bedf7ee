"""Two-sample test of class counts: calibration, effect sizes, and notes on too few samples."""

import numpy as np
import pytest

from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies

RNG = np.random.default_rng(0)
MIXES = {
    "two": np.array([0.9, 0.1]),
    "ten": np.full(10, 0.1),
    "rare": np.array([0.97, 0.01, 0.01, 0.01]),
    "geometric": 0.5 ** np.arange(1, 15),
    "long tail": 1 / np.arange(1, 1001),
    "ten thousand": np.ones(10_000),
}


@pytest.mark.thorough
@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("sizes", [(20, 20), (20, 5000), (300, 1000)])
def test_p_values_are_not_smaller_than_uniform(mix, sizes):
    share = MIXES[mix] / MIXES[mix].sum()
    draws = 100 if len(share) > 900 else 400
    pairs = ([RNG.multinomial(size, share) for size in sizes] for _ in range(draws))
    p = np.array([compare_frequencies(*pair).p_value for pair in pairs])
    assert p.min() > 0
    for u in (0.01, 0.05, 0.2):
        assert (p <= u).mean() <= u + 3.5 * np.sqrt(u / len(p))


def test_the_classes_that_changed_are_named_and_w_is_cohens():
    share = np.full(10, 0.1)
    moved = np.array([0.0, 0.2, *share[2:]])
    found = compare_frequencies(*(RNG.multinomial(9000, mix) for mix in (moved, share)))
    assert set(found.most_changed(5.0)) == {0, 1}
    assert found.residuals[0] < 0 < found.residuals[1]
    pooled = (moved + share) / 2
    w = np.sqrt(((moved - share) ** 2 / pooled).sum())
    assert found.effect_size == pytest.approx(w, abs=0.05)
    assert found.interval[0] < w < found.interval[1]
    assert found.total_variation == pytest.approx(0.1, abs=0.02)
    assert 0 < found.p_value < 1e-80


def test_classes_never_seen_before_are_found_among_ten_thousand():
    current, reference = np.zeros(10_000), np.zeros(10_000)
    current[RNG.integers(5000, 10_000, 40)] += 1
    np.add.at(reference, RNG.integers(0, 5000, 50_000), 1)
    assert compare_frequencies(current, reference).p_value < 1e-6
