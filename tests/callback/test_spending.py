"""`Spending`, and the fits whose measurements it limits."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg
from keras_shiftguard.callback import judged_samples, spending
from keras_shiftguard.callback.spending import Spending


@pytest.fixture
def clock(monkeypatch):
    """A clock in the place of the real one; its only item is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(spending.time, "perf_counter", lambda: now[0])
    return now


def test_a_share_of_the_training_is_spent_and_after_it_some_seconds(clock):
    spent, second = Spending(), 1.0
    with spent.measuring():
        with spent.running(100):
            clock[0] += 100 * second  # compiles, which is not counted
        with spent.running(100):
            clock[0] += second  # so all 200 samples count as twice this time
    assert spent.allows()  # two seconds of 101 are spent, and eight are left
    with spent.measuring():
        clock[0] += 5 * second  # the measurement that runs counts as well
        assert not spent.allows()
    clock[0] = 100 + (7 + 2 * 5) / spending.MAX_SHARE + 1  # two more like the longest one
    assert spent.allows()


def test_the_time_of_more_predictions_is_foreseen(clock):
    spent = Spending()
    with spent.measuring(), spent.running(1):
        clock[0] += spending.FREE_SECONDS / 4000  # as fast as the runs that follow
    with spent.measuring():
        clock[0] += spending.FREE_SECONDS / 4  # a search that runs no model
        with spent.running(1000):
            clock[0] += spending.FREE_SECONDS / 4
    # Half of the time is left, in which the model runs on 2,000 samples, or twice on 1,000.
    assert spent.affordable(900, lambda n: 2 * n, is_last=True) == 900
    assert 900 <= spent.affordable(5000, lambda n: 2 * n, is_last=True) <= 1000
    assert not spent.affordable(5000, lambda n: 2 * n, is_last=False)
    assert spent.may_overdraw(1000, is_first=True)
    assert not spent.may_overdraw(10**6, is_first=True)


def test_processes_do_not_decide_by_their_own_clocks(clock, monkeypatch):
    spent = Spending()
    for _ in range(2):
        with spent.measuring(), spent.running(1000):
            clock[0] += 10 * spending.FREE_SECONDS
    assert not spent.allows()
    monkeypatch.setattr(spending, "has_several_processes", lambda: True)
    assert spent.allows()
    assert spent.affordable(10**9, lambda n: 25 * n, is_last=False) == 10**9


def test_an_expensive_model_is_measured_at_a_new_finding_and_at_the_end(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.random((1200, 8, 8, 1)).astype("float32"), np.arange(1200) % 2
    x[y == 1, :4] += 1  # an easy task
    sizes: list[int] = []
    real = judged_samples.class_probabilities

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

    monkeypatch.setattr(judged_samples, "class_probabilities", counted)
    monkeypatch.setattr(spending, "MAX_SHARE", float("inf"))
    looks: list[int] = []
    assert run().findings
    assert looks[0] < looks[1] == looks[2] < looks[3]
    unlimited = sum(sizes)
    sizes.clear()
    looks = []
    monkeypatch.setattr(spending, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(spending, "MAX_SHARE", 0.0)
    report = run()
    assert 0 < looks[0] <= looks[1] <= looks[2] < looks[3]
    assert sum(sizes) < unlimited / 2
    assert all(finding.cost_words for finding in report.findings)


def test_a_misplacing_that_was_found_stays_when_there_is_no_time_to_look_again(monkeypatch):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).repeat(2, axis=1).repeat(2, axis=2).astype("float32")
    monkeypatch.setattr(spending, "MAX_SHARE", float("inf"))
    told = []

    class Epochs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found = [f for f in guard.report.findings if "mirrored" in f.explanation]
            told.append([(f.explanation, f.matters, f.cost) for f in found])
            if told[-1] and found[0].matters:
                monkeypatch.setattr(spending, "FREE_SECONDS", 0.0)
                monkeypatch.setattr(spending, "MAX_SHARE", 0.0)

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((16, 16, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    data = {"validation_data": (x[1100:, :, ::-1], y[1100:]), "batch_size": 32, "verbose": 0}
    model.fit(x[:1100], y[:1100], epochs=6, callbacks=[guard, Epochs()], **data)
    first = next(i for i, found in enumerate(told) if found and found[0][1])
    assert first < 4
    assert all(found == told[first] for found in told[first:])
