"""The guard's own predictions, and its reads of target data, do not change the training."""

import random

import keras
import numpy as np
import pytest
from keras import layers

import keras_shiftguard as sg

pytestmark = pytest.mark.backend
BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X, Y = RNG.random((48, 6)).astype("float32"), RNG.integers(0, 3, 48)


class AlwaysNoisy(layers.Layer):
    """A layer that draws random numbers in inference too, as in Monte Carlo dropout."""

    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(5)

    def call(self, x):
        return x + keras.random.normal((6,), seed=self.seed)


def compiled(*inner):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), *inner, layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=BACKEND == "tensorflow")
    return model


def trained(model, *callbacks):
    """Returns all variables of the model after a fit."""
    model.fit(
        X,
        Y,
        batch_size=16,
        epochs=2,
        validation_data=(X[:16], Y[:16]),
        callbacks=list(callbacks),
        verbose=0,
    )
    return [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def quiet(**arguments):
    return sg.ShiftGuard(verbose=0, on_shift="ignore", **arguments)


def draws():
    return random.random(), np.random.random()


@pytest.mark.to_the_bit
@pytest.mark.slow_on_tensorflow
def test_a_network_that_draws_in_inference_trains_as_without_a_guard():
    plain = trained(compiled(AlwaysNoisy()))
    assert same(plain, trained(compiled(AlwaysNoisy()), quiet(target_data=X)))


def test_a_target_that_draws_random_numbers_changes_no_training():
    """Training may draw from the same generators of Python, NumPy or PyTorch."""

    class Target(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            random.random()
            return X[np.random.permutation(len(X))[:16]]

    class Draw(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            drawn.append(draws())

    drawn: list[tuple[float, float]] = []
    trained(compiled(), Draw())
    plain = list(drawn)
    drawn.clear()
    trained(compiled(), quiet(target_data=Target()), Draw())
    assert drawn == plain


@pytest.mark.thorough
def test_no_name_of_a_later_model_is_used_up():
    def fitted(*callbacks):
        keras.utils.clear_session()
        trained(compiled(layers.Dense(4, name="features")), *callbacks)
        return keras.Model(*[keras.Input((2,))] * 2).name, keras.random.SeedGenerator(0).name

    plain = fitted()
    assert fitted(quiet(target_data=X, feature_layer="features", adapt=True)) == plain


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
def test_a_loader_as_target_leaves_dropout_as_it_is():
    import torch

    loader = torch.utils.data.DataLoader(torch.tensor(X), batch_size=16, shuffle=True)
    plain = trained(compiled(layers.Dropout(0.5, seed=1)))
    assert same(plain, trained(compiled(layers.Dropout(0.5, seed=1)), quiet(target_data=loader)))


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
def test_modules_of_pytorch_inside_layers_keep_their_statistics_and_modes():
    import torch

    class Raw(layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm, self.drop = torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.5)

        def call(self, x):
            return self.drop(self.norm(x))

    def fitted(*callbacks):
        raw = Raw()
        model = compiled(raw)
        variables = trained(model, *callbacks)
        buffers = [b.numpy().copy() for b in raw.norm.buffers()]
        return variables + buffers, raw.training

    plain, mode = fitted()
    watched, mode_after = fitted(quiet(target_data=X))
    assert same(plain, watched) and mode == mode_after
