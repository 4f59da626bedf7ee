"""`Spending`, and the fits whose measurements it limits."""

import keras
import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.callback import cost_watch, spending
from keras_shiftguard.callback.spending import Spending


@pytest.fixture
def clock(monkeypatch):
    """A clock in the place of the real one; its only item is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(spending.time, "perf_counter", lambda: now[0])
    return now


def test_the_first_seconds_are_free_and_then_a_share_of_the_training(clock):
    spent = Spending()
    assert spent.allows()
    with spent.measuring():
        clock[0] += spending.FREE_SECONDS + 1  # the measurement that runs counts as well
        assert not spent.allows()
    assert not spent.allows()
    clock[0] = 100 + (spending.FREE_SECONDS + 1) / spending.MAX_SHARE
    assert spent.allows()


def test_the_time_of_more_predictions_is_foreseen(clock):
    spent = Spending()
    with spent.measuring():
        clock[0] += spending.FREE_SECONDS / 4  # a search that runs no model
        with spent.running(1000):
            clock[0] += spending.FREE_SECONDS / 4
    assert spent.allows(1900) and not spent.allows(2100)


def test_processes_do_not_decide_by_their_own_clocks(clock, monkeypatch):
    spent = Spending()
    with spent.measuring():
        clock[0] += 10 * spending.FREE_SECONDS
    assert not spent.allows()
    monkeypatch.setattr(spending, "has_several_processes", lambda: True)
    assert spent.allows(10**9)


def test_an_expensive_model_is_measured_at_a_new_finding_and_at_the_end(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.random((1200, 8, 8, 1)).astype("float32"), np.arange(1200) % 2
    x[y == 1, :4] += 1  # an easy task
    sizes: list[int] = []
    real = cost_watch.predicted_classes

    def counted(model, name, chunks):
        classes = real(model, name, chunks)
        sizes.append(len(classes))
        return classes

    class Epochs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            looks.append(len(sizes))

    def run():
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
        )
        model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
        guard = sg.ShiftGuard(on_shift="ignore", verbose=0)
        validation = x[800:] * 0.8, y[800:]
        callbacks = [guard, Epochs()]
        model.fit(
            x[:800], y[:800], epochs=4, validation_data=validation, callbacks=callbacks, verbose=0
        )
        return guard.report

    monkeypatch.setattr(cost_watch, "predicted_classes", counted)
    looks: list[int] = []
    assert run().findings
    assert looks[0] < looks[1] < looks[2] < looks[3]
    sizes.clear()
    looks = []
    monkeypatch.setattr(spending, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(spending, "MAX_SHARE", 0.0)
    report = run()
    assert 0 < looks[0] == looks[1] == looks[2] < looks[3]
    assert all(finding.cost is not None for finding in report.findings)
