"""The correction of a batch changes nothing while it is off, and corrects while it is on."""

import numpy as np
import pytest
from keras import ops

from keras_shiftguard.instrument.step_correction import StepCorrection
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.statistics.batch import InputSpec

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]
SCALE, OFFSET = (0.5, 2.0, -1.0), (1.0, -3.0, 0.25)


def corrected(correction, x):
    return ops.convert_to_numpy(correction(ops.convert_to_tensor(x)))


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("permutation", [None, (2, 1, 0)])
def test_off_on_and_off_again(layout, permutation, rng):
    x = rng.normal(0, 100, (2, 5, 4, 3)).astype("float32")
    x = x if layout == "channels_last" else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    correction = StepCorrection(InputSpec("image", layout, 3, (5, 4)))
    np.testing.assert_array_equal(corrected(correction, x), x)
    correction.switch_on(permutation, SCALE, OFFSET)
    layer = InputCorrection(SCALE, OFFSET, permutation, layout)
    np.testing.assert_allclose(corrected(correction, x), ops.convert_to_numpy(layer(x)), rtol=1e-6)
    correction.switch_on(None, SCALE, OFFSET)  # another correction in place of the first
    wanted = ops.convert_to_numpy(InputCorrection(SCALE, OFFSET, None, layout)(x))
    np.testing.assert_allclose(corrected(correction, x), wanted, rtol=1e-6)
    correction.switch_off()
    np.testing.assert_array_equal(corrected(correction, x), x)


def test_integers_become_numbers(rng):
    x = rng.integers(0, 256, (2, 5, 4, 1)).astype("uint8")
    correction = StepCorrection(InputSpec("image", "channels_last", 1, (5, 4)))
    correction.switch_on(None, (1 / 255,), (0.0,))
    np.testing.assert_allclose(corrected(correction, x), x / np.float32(255), rtol=1e-6)
