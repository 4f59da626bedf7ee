"""False-alarm rates of one comparison and of a whole fit.

`examples/benchmarks/detection_calibration.py` measures them with more draws.
"""

import numpy as np
import pytest
from benchmarks.detection_calibration import _bandwidth, one_fit, profile, source

from keras_shiftguard.detection.look import compare_profiles


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["gauss", "t2", "counts"])
def test_the_global_p_value_is_not_smaller_than_uniform(name):
    rng = np.random.default_rng(0)
    draw = source(name, rng)
    only = _bandwidth(draw(500))
    p = []
    for _ in range(60):
        a, b = (profile(draw(n), rng.integers(0, 10, n), only) for n in (40, 100))
        p.append(compare_profiles(b, a).p_value)
    p = np.array(p)
    assert p.min() > 0
    for u in (0.05, 0.2):
        assert (p <= u).mean() <= u + 3 * np.sqrt(u / len(p))


@pytest.mark.thorough
@pytest.mark.parametrize("fresh", [False, True], ids=["same samples", "fresh samples"])
def test_fits_without_shift_rarely_alarm(fresh):
    rng = np.random.default_rng(1)
    draw = source("gauss", rng)
    only = _bandwidth(draw(500))
    alarms = sum(one_fit(draw, rng, 2, fresh, only)[0] for _ in range(6))
    assert alarms <= 2  # at a rate of 5 %, the chance of three or more is 2e-3
