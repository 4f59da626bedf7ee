"""The accuracy on training samples before the model was trained on them."""

import keras
import numpy as np
import pytest

from keras_shiftguard.callback.first_pass_accuracy import FirstPassAccuracy, has_random_layers


def watched(of_batches, steps, name="accuracy"):
    """Returns the accuracy after a pass with these accuracies of its batches."""
    found = FirstPassAccuracy(steps)
    for batch in range(len(of_batches)):
        found.add(batch, {name: np.mean(of_batches[: batch + 1]), "loss": 1.0})
    return found


@pytest.mark.parametrize("name", ["accuracy", "acc", "binary_accuracy"])
def test_the_accuracy_of_the_last_quarter(name):
    of_batches = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    found = watched(of_batches, 8, name)
    logs = {name: np.mean(of_batches), f"val_{name}": 0.6}
    rate, error = found.read(logs, num_samples=800)
    assert rate == pytest.approx(0.85)
    assert error == pytest.approx((0.85 * 0.15 / 200) ** 0.5)
    lost = found.minus_validation(logs, 800, 1000)
    assert lost.value == pytest.approx(0.25)


def test_a_pass_of_unknown_length_counts_as_a_whole():
    found = watched([0.2, 0.4, 0.6], None)
    assert found.read({"accuracy": 0.4}, 300)[0] == pytest.approx(0.4)


def test_nothing_is_read_without_an_accuracy_or_without_validation():
    found = watched([0.5, 0.6], 2, "auc")
    assert found.minus_validation({"auc": 0.6, "val_auc": 0.5}, 100, 100) is None
    found = watched([0.5, 0.6], 2)
    assert found.minus_validation({"accuracy": 0.55}, 100, 0) is None
    assert FirstPassAccuracy(4).read({"accuracy": 0.5}, 100) is None  # no batch at all


@pytest.mark.parametrize("value", [87.5, np.array([0.5, 0.6]), None, float("nan")])
def test_what_is_no_share_is_not_used(value):
    """A user's own metric may be a percentage, or have a value for each class."""
    found = FirstPassAccuracy(2)
    for batch in range(2):
        found.add(batch, {"accuracy": value})
    assert found.minus_validation({"accuracy": value, "val_accuracy": value}, 100, 100) is None
    assert not found.began_trained(0.1, 100)


def test_the_first_batch_shows_that_a_model_was_trained():
    for first, is_trained in ((0.6, False), (0.95, True)):
        assert watched([first, 0.9], 2).began_trained(0.5, 64) == is_trained


def test_random_layers_make_the_accuracy_lower():
    layers = keras.layers
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.BatchNormalization()])
    dropout = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)])
    assert not has_random_layers(plain) and has_random_layers(dropout)
    recurrent = keras.Sequential([keras.Input((4, 2)), layers.LSTM(3), layers.Dense(2)])
    assert not has_random_layers(recurrent)
    recurrent = keras.Sequential([keras.Input((4, 2)), layers.GRU(3, dropout=0.2)])
    assert has_random_layers(recurrent)
    assert FirstPassAccuracy(4).is_unbiased and not FirstPassAccuracy(4, True).is_unbiased
    assert not FirstPassAccuracy(None).is_unbiased


def test_batches_that_end_in_another_order():
    """Threads of Keras may call the end of a batch late."""
    found = watched([0.2, 0.4, 0.6, 0.8], 4)
    found.add(1, {"accuracy": 0.3})
    assert found.read({"accuracy": 0.5}, 400)[0] == pytest.approx(0.8)


def test_binary_accuracy_of_one_hot_labels_is_high_from_the_start():
    assert not watched([0.9, 0.9], 2, "binary_accuracy").began_trained(0.1, 64)
