"""Injected faults of the user's own code, and of memory.

The guard changes neither the training nor what the log already holds. If the guard itself fails,
it warns once. Every test belongs to a row of docs/faults.md.
"""

import signal
import warnings

import keras
import numpy as np
import pytest
from faults.fits import (
    BACKEND,
    X,
    image_model,
    new_model,
    numbers,
    quiet,
    records,
    run,
    same,
    watched,
)
from left_behind import left_behind

import keras_shiftguard as sg
from keras_shiftguard.log.resume import read_epoch_state

pytestmark = pytest.mark.eager


class Stop(keras.callbacks.Callback):
    """A callback that ends the fit at one hook: at its only call, or in the second epoch."""

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
    assert not left_behind(model)
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
    run(plain, [], epochs=1, validation_data=None)  # the other fit ended within the first epoch
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


class Sum(keras.metrics.Mean):
    """A user's statistic that fails at one of its updates, as on a batch of an unusual shape."""

    def __init__(self, fails_at, **kwargs):
        super().__init__(**kwargs)
        self.left = fails_at

    def get_config(self):
        return {**super().get_config(), "fails_at": 10**6}

    def update_state(self, x):
        self.left -= 1
        if self.left == 0:
            raise ValueError("not this shape")
        super().update_state(x)


@pytest.mark.backend
def test_a_statistic_of_the_user_fails_in_an_update(unwatched):
    """Only this statistic is left out, because its values from half an epoch could look shifted."""
    guard = quiet(on_shift="warn", statistics=[Sum(4, name="mine")])
    weights, warned = watched(guard)
    assert same(weights, unwatched)
    assert len(warned) == 1 and "'mine' of train" in warned[0] and "not this shape" in warned[0]
    assert guard.profiles["train"].num_samples == 64
    assert "mine" not in guard.profiles["train"].features
    assert "mine" in guard.profiles["validation"].features


class SwitchOn(keras.callbacks.Callback):
    """Doubles the training input from the first batch on, with a correction of the guard."""

    def __init__(self, guard):
        super().__init__()
        self.guard = guard

    def on_train_batch_begin(self, batch, logs=None):
        for correction in self.guard._run.stream("train").corrections.values():
            if not correction.is_on:
                correction.switch_on(None, (2.0,) * 3, (0.0,) * 3)


@pytest.mark.thorough
@pytest.mark.backend
@pytest.mark.to_the_bit
def test_a_correction_goes_on_after_a_failure_of_the_guard():
    """If the correction stopped, the input of the network would change between two batches."""
    x = np.random.default_rng(1).random((64, 8, 8, 3)).astype("float32")

    plain, model = image_model(), image_model()
    run(plain, [], 2 * x, epochs=2, validation_data=None)
    guard = quiet(on_mismatch="fix", statistics=[Statistic(fail)])
    with pytest.warns(sg.ShiftWarning) as warned:
        run(model, [SwitchOn(guard), guard], x, epochs=2, validation_data=None)
    assert len([w for w in warned if w.category is sg.ShiftWarning]) == 1
    assert same(numbers(model), numbers(plain))


@pytest.mark.thorough
def test_the_history_stays_a_table_after_a_failure():
    left = [2]

    def later():
        left[0] -= 1
        if left[0] < 0:
            fail()

    guard = quiet(statistics=[Statistic(later)])
    with pytest.warns(sg.ShiftWarning, match="stopped watching"):
        history = run(new_model(), [guard]).history
    assert len({len(values) for values in history.values()}) == 1
    assert np.isfinite(history["val_shift"][0]) and np.isnan(history["val_shift"][-1])


@pytest.mark.backend
def test_labels_of_parts_of_a_sample_are_left_out(rng):
    """Each step of a sequence may have a label of its own."""
    steps = keras.Input((6, 4))
    outputs = keras.ops.reshape(keras.layers.Dense(3)(steps), (-1, 3))
    model = keras.Model(steps, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=BACKEND == "tensorflow")

    def batches():
        while True:
            yield rng.random((16, 6, 4)).astype("float32"), rng.integers(0, 3, 96)

    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.ShiftWarning)
        model.fit(batches(), steps_per_epoch=3, shuffle=False, callbacks=[guard], verbose=0)
    assert guard.profiles["train"].num_samples == 48
    assert not guard.profiles["train"].labels.num_samples


def test_a_fit_without_an_epoch_attaches_no_profile(tmp_path):
    guard = quiet(attach_to=tmp_path / "model.keras")
    with pytest.warns(sg.ShiftWarning, match="no profile .* no epoch"):
        run(new_model(), [guard], epochs=0)


@pytest.mark.thorough
def test_the_users_settings_of_numpy_are_not_those_of_the_guard(unwatched):
    """With `np.seterr(all="raise")`, a tiny probability would be an error (underflow)."""
    guard = quiet(reference=X + 9.0, target_data=X * 1e-3)
    with np.errstate(all="raise"):
        weights, warned = watched(guard)
    assert not warned
    assert guard.report.shifted
    assert same(weights, unwatched)


@pytest.mark.backend
def test_an_epoch_that_a_callback_cuts_short_is_no_shift():
    """If samples are sorted by class, the first batches of an epoch lack some classes."""

    class StopWithin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = self.epoch == 2 and batch == 3

    x = np.sort(np.random.default_rng(0).random((512, 6)).astype("float32"), axis=0)
    y = np.arange(512) * 3 // 512
    guard, model = quiet(), new_model()
    model.fit(
        x, y, batch_size=32, epochs=4, shuffle=False, callbacks=[StopWithin(), guard], verbose=0
    )
    assert len(model.history.history["loss"]) == 3
    assert not guard.report.shifted
    assert guard.profiles["train"].num_samples == 512
