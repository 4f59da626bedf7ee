"""`GradientReversal`: unchanged values and reversed gradients, in every precision."""

import keras
import numpy as np
import pytest
from adaptation_models import as_array

from keras_shiftguard.domains.alignment.reversal import GradientReversal
from keras_shiftguard.errors import BadInputError

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_values_stay_and_gradients_are_reversed(dtype, rng):
    """One step of SGD shows the gradient; the strength is a variable, also in a compiled step."""
    x = keras.ops.cast(rng.normal(0, 100, (4, 3)), dtype)
    back = GradientReversal(0.25, dtype=dtype)
    assert bool(keras.ops.all(keras.ops.equal(back(x), x)))
    first = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((2,)), first, back])
    model.compile(keras.optimizers.SGD(1.0), lambda y, p: keras.ops.cast(p, "float32")[:, 0])
    for strength, moved in ((0.25, 0.25), (0.0, 0.25), (1.0, 1.25)):
        back.strength.assign(strength)
        model.fit(np.ones((4, 2), "float32"), np.ones(4), verbose=0)
        np.testing.assert_allclose(as_array(first.kernel), moved, rtol=1e-6)


def test_round_trip():
    layer = GradientReversal(0.3, name="back")
    again = GradientReversal.from_config(layer.get_config())
    assert again.initial_strength == 0.3 and again.name == "back"
    assert layer.compute_output_shape((None, 7)) == (None, 7)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_refuses(strength):
    with pytest.raises(BadInputError, match="strength"):
        GradientReversal(strength)
