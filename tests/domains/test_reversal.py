"""`GradientReversal`: unchanged values and reversed gradients, in every precision."""

import keras
import numpy as np
import pytest
from adaptation_models import gradients_of
from keras import ops

from keras_shiftguard.domains.reversal import GradientReversal
from keras_shiftguard.errors import BadInputError

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_forward_exact_gradient_minus_strength(dtype, rng):
    layer = GradientReversal(0.25, dtype=dtype)
    x = keras.Variable(rng.normal(0, 100, (4, 3)).astype("float32"), dtype=dtype)
    y = layer(x.value)
    same = ops.convert_to_numpy(ops.all(ops.equal(y, x.value)))
    assert bool(same)
    (gradient,) = gradients_of(lambda: ops.sum(ops.cast(layer(x.value), "float32") * 2.0), [x])
    np.testing.assert_array_equal(np.asarray(gradient, "float32"), np.full((4, 3), -0.5))
    layer.strength.assign(0.0)
    (gradient,) = gradients_of(lambda: ops.sum(ops.cast(layer(x.value), "float32")), [x])
    assert not np.asarray(gradient, "float32").any()


def test_round_trip():
    layer = GradientReversal(0.3, name="back")
    again = GradientReversal.from_config(layer.get_config())
    assert again.initial_strength == 0.3 and again.name == "back"
    assert layer.compute_output_shape((None, 7)) == (None, 7)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_refuses(strength):
    with pytest.raises(BadInputError, match="strength"):
        GradientReversal(strength)
