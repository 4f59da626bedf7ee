"""The private attributes of Keras that the package reads exist in the installed release."""

import keras
import numpy as np
import pytest

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


def test_a_symbolic_tensor_and_a_layer_know_their_calls(model):
    dropout = model.get_layer("dropout")
    history, (node,) = history_of(model.output), inbound_nodes(dropout)
    assert history.operation is node.operation is dropout and history.node_index == 0
    assert not node.is_input and node.output_tensors[0] is model.output
    assert node.input_tensors[0] is model.get_layer("dense").output
    assert call_takes_training(dropout) and not call_takes_training(keras.layers.Flatten())


def test_other_objects_know_nothing():
    assert history_of(keras.ops.zeros((2, 4))) is None and inbound_nodes(object()) == []
    assert not call_takes_training(object()) and loss_weights(object()) is None


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


def test_a_compiled_model_knows_its_metrics_and_the_weights_of_its_losses(model):
    assert loss_weights(model) is None and compiled_metrics(model) == []
    model.compile("sgd", ["mse"], loss_weights=[0.5], metrics=["mae"])
    model.fit(np.zeros((4, 4)), np.zeros((4, 3)), verbose=0)
    assert loss_weights(model) == [0.5]
    assert [metric.name for metric in compiled_metrics(model)] == ["mae"]
