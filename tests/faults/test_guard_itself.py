"""Injected faults of the guard itself.

A fault gives one warning, and changes neither the training nor what the log already holds. Every
test belongs to a row of docs/faults.md.
"""

import warnings

import keras
import numpy as np
import pytest
from faults.fits import BACKEND, EPOCHS, X, new_model, numbers, quiet, run, same, watched
from keras import layers
from left_behind import left_behind

import keras_shiftguard as sg
from keras_shiftguard.callback import guard as guard_module
from keras_shiftguard.callback import hooks
from keras_shiftguard.callback.optional_data import OptionalData
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.statistics.stream import Stream

pytestmark = pytest.mark.eager


class Subclassed(keras.Model):
    """A model that Keras builds in the first step, so the guard builds its statistics there."""

    def __init__(self):
        super().__init__()
        self.flat, self.dense = layers.Flatten(), layers.Dense(3)

    def call(self, x):
        return self.dense(self.flat(x))


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.to_the_bit
@pytest.mark.parametrize("fails, subclassed", [("build", True), ("build", False), ("update", True)])
def test_the_guard_cannot_be_set_up(fails, subclassed, monkeypatch):
    """A failure before the fit, or while the step is traced, is one warning; training goes on."""
    if BACKEND != "tensorflow" and not subclassed:
        pytest.skip("only on TensorFlow does Keras wait for the step to build a model")

    def explode(*args, **kwargs):
        raise MemoryError("no room for the statistics")

    x = np.random.default_rng(1).random((64, 8, 8, 3)).astype("float32")

    def new():
        keras.utils.set_random_seed(0)
        dense = [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)]
        model = Subclassed() if subclassed else keras.Sequential(dense)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss)
        return model

    plain, model = new(), new()
    run(plain, [], x)
    with monkeypatch.context() as broken, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        broken.setattr(Stream, fails, explode)
        history = run(model, [quiet(adapt=True)], x)
    warned = [str(w.message) for w in caught if w.category is sg.ShiftWarning]
    assert len(warned) == 1 and "no room for the statistics" in warned[0]
    assert len(history.history["val_loss"]) == EPOCHS
    assert same(numbers(model), numbers(plain))
    assert not left_behind(model)
    guard = quiet()  # another guard works on the same model
    run(model, [guard], x, epochs=1)
    assert guard.profiles["train"].num_samples == len(x)


@pytest.mark.backend
@pytest.mark.parametrize("fails", ["mark_line", "is_there", "detach", "say", "PreprocessingWatch"])
def test_a_failure_before_the_first_batch_is_a_warning(fails, monkeypatch, unwatched):
    """Whatever fails in `on_train_begin`, the fit goes on without the guard.

    A guard that cannot begin does not take the validation of the fit for an evaluation.
    """
    left = [1]

    def explode(*args, **kwargs):
        if left[0]:
            left[0] -= 1
            raise OSError("the terminal is gone")
        return False

    guard = quiet(reference=X)
    run(new_model(), [guard], epochs=1)  # its results must not be taken for those of the next fit
    if fails == "is_there":
        monkeypatch.setattr(OptionalData, "is_there", property(explode))
    elif fails == "detach":
        monkeypatch.setattr(Run, "detach", explode)
    else:
        monkeypatch.setattr(
            guard_module if fails == "PreprocessingWatch" else hooks, fails, explode
        )
    guard.verbose = int(fails == "say")
    weights, warned = watched(guard)
    assert len(warned) == 1 and "the terminal is gone" in warned[0]
    assert same(weights, unwatched)
    assert fails == "say" or guard.report is None


def test_a_reference_of_no_use_is_still_an_error():
    model = new_model()
    start = numbers(model)
    with pytest.raises(sg.BadInputError, match="must be an array"):
        run(model, [quiet(reference=X.tolist())])
    assert same(numbers(model)[: len(start)], start)
