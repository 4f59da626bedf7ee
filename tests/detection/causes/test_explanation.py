"""The line of Python that undoes a preprocessing step is short and correct."""

import numpy as np
import pytest

from keras_shiftguard.detection.causes.explanation import affine

THREE = np.array([0.5, 2.0, 4.0])


@pytest.mark.parametrize(
    ("scale", "offset", "line"),
    [
        (1, 0, "x"),
        (1 / 255, 0, "x / 255"),
        (255, 0, "x * 255"),
        (1 / 127.5, -1, "x / 127.5 - 1"),
        (2, -1, "x * 2 - 1"),
        (0.3, 0.25, "x * 0.3 + 0.25"),
        (1, 103.5, "x + 103.5"),
        (1, 0.02, "x"),  # the offset is below a ten-thousandth of 255
    ],
)
def test_one_number_for_all_channels(scale, offset, line):
    code = affine("x", np.full(3, float(scale)), np.full(3, float(offset)), first=False)
    assert code == line
    assert affine("x", np.array([float(scale)]), np.array([float(offset)]), first=True) == line


@pytest.mark.parametrize("first", [False, True])
def test_a_number_for_each_channel(first):
    x = np.arange(24.0).reshape((2, 3, 2, 2) if first else (2, 2, 2, 3))
    shape = (3, 1, 1) if first else (3,)
    line = affine("x", THREE, -300 * THREE, first)
    assert line.count("np.array([") == 2 and line.count("reshape(-1, 1, 1)") == 2 * first
    wanted = x * THREE.reshape(shape) - 300 * THREE.reshape(shape)
    np.testing.assert_allclose(eval(line, {"x": x, "np": np}), wanted)
    assert affine("x", THREE, np.zeros(3), False) == "x * np.array([0.5, 2, 4])"
