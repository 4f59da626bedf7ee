"""The private attributes of Keras that the package reads exist in the installed release."""

import keras
import numpy as np
import pytest

from keras_shiftguard.instrument import keras_private
from keras_shiftguard.instrument.keras_private import (
    call_takes_training,
    compiled_metrics,
    history_of,
    inbound_nodes,
    loss_weights,
    validation_steps,
)

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]


@pytest.fixture
def model():
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, name="dense")(inputs)
    return keras.Model(inputs, keras.layers.Dropout(0.5, name="dropout")(hidden))


def test_a_symbolic_tensor_knows_the_call_that_made_it(model):
    assert hasattr(model.output, keras_private.HISTORY)
    history = history_of(model.output)
    assert history.operation is model.get_layer("dropout")
    assert history.node_index == 0
    assert history_of(keras.ops.zeros((2, 4))) is None


def test_a_layer_knows_its_calls(model):
    layer = model.get_layer("dropout")
    assert hasattr(layer, keras_private.INBOUND_NODES)
    (node,) = inbound_nodes(layer)
    assert node.operation is layer
    assert not node.is_input
    assert node.input_tensors[0] is model.get_layer("dense").output
    assert node.output_tensors[0] is model.output
    assert inbound_nodes(object()) == []


def test_a_layer_knows_whether_its_call_takes_training(model):
    flatten, dropout = keras.layers.Flatten(), model.get_layer("dropout")
    assert hasattr(flatten, keras_private.CALL_HAS_TRAINING)
    assert call_takes_training(dropout)
    assert not call_takes_training(flatten)
    assert not call_takes_training(object())


def test_a_fit_knows_the_number_of_its_validation_batches(model):
    seen = []

    class Look(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen.append(validation_steps(self.model))

    model.compile("sgd", "mse")
    x, y = np.zeros((10, 4)), np.zeros((10, 3))
    model.fit(x, y, validation_data=(x, y), validation_batch_size=4, callbacks=[Look()], verbose=0)
    model.evaluate(x, y, callbacks=[Look()], verbose=0)
    assert seen == [3, None]


def test_a_compiled_model_knows_the_weights_of_its_losses(model):
    assert loss_weights(model) is None and loss_weights(object()) is None
    model.compile("sgd", ["mse"], loss_weights=[0.5])
    assert loss_weights(model) == [0.5]


def test_a_compiled_model_knows_its_metrics(model):
    assert compiled_metrics(model) == []
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(np.zeros((4, 4)), np.zeros((4, 3)), verbose=0)
    assert [metric.name for metric in compiled_metrics(model)] == ["mae"]
    assert hasattr(model, keras_private.COMPILED_METRICS)
