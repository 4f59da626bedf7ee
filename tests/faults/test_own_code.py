"""Injected faults of the user's own code, and of memory.

Training is not changed, there is one warning, and the log stays as written so far. Every test
is a row of docs/faults.md.
"""

import signal
import warnings

import keras
import numpy as np
import pytest
from faults.fits import BACKEND, new_model, numbers, quiet, records, run, same, watched

import keras_shiftguard as sg
from keras_shiftguard.log.resume import read_epoch_state

pytestmark = pytest.mark.eager


class Stop(keras.callbacks.Callback):
    """Ends the fit at one hook of the second epoch, or of the fit if it is called only once."""

    def __init__(self, hook, how):
        super().__init__()
        self.how, self.epoch = how, 0
        once = hook in ("on_train_begin", "on_train_end")

        def stop(*args, **kwargs):
            if once or self.epoch == 1:
                how()

        setattr(self, hook, stop)
        self.begins = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin)

    def _begin(self, epoch, logs):
        self.epoch = epoch


def interrupt():
    signal.raise_signal(signal.SIGINT)  # what Ctrl-C does


def fail():
    raise ZeroDivisionError("the user's own")


HOOKS = [
    *("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"),
    *("on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"),
    *("on_epoch_end", "on_train_end"),
]


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.to_the_bit
@pytest.mark.parametrize(
    "hook, how", [*((hook, interrupt) for hook in HOOKS), *((hook, fail) for hook in HOOKS[::3])]
)
def test_the_fit_is_ended_at_a_hook(hook, how, tmp_path):
    if BACKEND != "tensorflow" and (
        how is fail or hook not in ("on_train_batch_end", "on_test_end")
    ):
        pytest.skip("Keras calls these hooks in the same way on every backend")
    error = KeyboardInterrupt if how is interrupt else ZeroDivisionError

    def ended(*watchers):
        model, stop = new_model(), Stop(hook, how)
        with pytest.raises(error):
            run(model, [stop.begins, *watchers, stop], epochs=2)
        return model

    plain = ended()
    guard = quiet(log_dir=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.ShiftWarning)  # the guard must not warn
        model = ended(guard)
    assert same(numbers(model), numbers(plain))
    assert len(records(tmp_path)) >= (1 if hook == "on_train_begin" else 10)
    guard.detach()
    assert not {"train_step", "test_step"} & set(vars(model))
    # The model then trains like one that never had a guard.
    for each in (plain, model):
        keras.utils.set_random_seed(1)  # PyTorch's dropout has no seed of its own
        run(each, [], epochs=1)
    assert same(numbers(model), numbers(plain))


class Statistic(keras.metrics.Mean):
    """A user's statistic that calls a function when the guard reads its result."""

    def __init__(self, act, **kwargs):
        super().__init__(**kwargs)
        self.act = act

    def get_config(self):
        return {**super().get_config(), "act": self.act}

    def update_state(self, x):
        super().update_state(x)

    def result(self):
        self.act()
        return super().result()


def test_an_interrupt_inside_the_guard(tmp_path):
    model, guard = new_model(), quiet(statistics=[Statistic(interrupt)], log_dir=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(model, [guard])
    guard.detach()
    plain = new_model()
    run(plain, [], epochs=1, validation_data=None)  # it ended in the middle of the first epoch
    assert same(numbers(model), numbers(plain))
    assert len(records(tmp_path)) >= 1


@pytest.mark.thorough
def test_memory_runs_out_in_the_analysis(tmp_path, unwatched):
    """A real `MemoryError`, from an array that fits into no memory."""
    left = [2]

    def allocate():
        left[0] -= 1
        if left[0] < 0:
            np.ones(2**50)

    guard = quiet(statistics=[Statistic(allocate)], log_dir=tmp_path)
    weights, warned = watched(guard)
    assert same(weights, unwatched)
    assert (
        len(warned) == 1 and "MemoryError" in warned[0] and "Training is not affected" in warned[0]
    )
    assert len(records(tmp_path)) > 10
    assert read_epoch_state(tmp_path, 1)["passes"]["train"]["batches"] == 2
