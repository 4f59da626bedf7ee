"""Layer calls are replaced for a while, and are afterwards exactly what they were."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_shiftguard.instrument.layer_calls import replaced_calls


def zeros(x):
    return 0 * x


@pytest.mark.backend
@pytest.mark.each_backend
def test_the_layer_runs_the_replacement_and_then_its_own_call():
    layer = keras.layers.Rescaling(2.0)
    x = np.ones((1, 2), "float32")
    with replaced_calls([(layer, zeros)]):
        assert float(ops.max(layer(x))) == 0
    assert float(ops.max(layer(x))) == 2
    assert "call" not in vars(layer)


@pytest.mark.backend
@pytest.mark.each_backend
def test_a_call_that_was_set_before_is_restored_after_an_error():
    layer, plain = keras.layers.Rescaling(2.0), keras.layers.Rescaling(3.0)

    def mine(x):
        return 5 * x

    layer.call = mine
    with (
        pytest.raises(RuntimeError),
        replaced_calls([(layer, zeros), (plain, zeros), (layer, zeros)]),
    ):
        raise RuntimeError
    assert vars(layer)["call"] is mine
    assert "call" not in vars(plain)
