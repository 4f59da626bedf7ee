"""The guard measures outside of the training step, and adds no state to the model."""

import keras
import numpy as np
import pytest
from instrument.test_probe import compiled, sequential

import keras_shiftguard as sg

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]
BACKEND = keras.backend.backend()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((80, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 80)


def network():
    keras.utils.set_random_seed(3)
    return compiled(sequential(), "adam")


def fit(model, data, *callbacks, **more):
    more = {"batch_size": 16, "verbose": 0, **more}
    return model.fit(*data, callbacks=list(callbacks), **more)


class During(keras.callbacks.Callback):
    """A callback that calls a function with the model after one batch of the fit."""

    def __init__(self, function, batch=2):
        super().__init__()
        self.function, self.batch = function, batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.function(self.model)


def test_the_state_of_the_model_is_its_own_during_a_fit(data):
    seen = {}

    def look(model):
        if BACKEND == "jax":
            model.jax_state_sync()
        seen["variables"] = len(model.variables), len(model.metrics_variables)
        seen["tree"] = str(keras.tree.map_structure(np.shape, model.get_state_tree()))

    plain = network()
    fit(plain, data, During(look))
    expected = dict(seen)
    guarded = network()
    fit(guarded, data, sg.ShiftGuard(verbose=0), During(look))
    assert seen["variables"] == expected["variables"]
    assert "shiftguard" not in seen["tree"]
    assert not any("shiftguard" in name for name in vars(guarded))
    for name in ("train_function", "test_function", "predict_function"):
        assert not hasattr(getattr(guarded, name), "shiftguard_probe")


def test_a_step_made_anew_in_mid_fit_goes_on_being_counted(data):
    """Keras's own docs advise to make a new step after layers were unfrozen."""
    guard = sg.ShiftGuard(verbose=0)
    fit(network(), data, guard, During(lambda model: model.make_train_function(force=True)))
    assert guard.profiles["train"].num_samples == 80


class Interrupt(Exception):
    pass


def interrupt(model):
    raise Interrupt


class InterruptBefore(keras.callbacks.Callback):
    """A callback that ends the fit after the guard began a batch, and before the step gets it."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            raise Interrupt

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin


@pytest.mark.parametrize(
    ("build", "batches", "run"),
    [
        (lambda: During(interrupt), 3, "fit"),
        *(
            pytest.param(InterruptBefore, 2, run, marks=pytest.mark.slow_on_tensorflow)
            for run in ("fit", "train_on_batch")
        ),
    ],
    ids=["after a step", "before a step", "a loop of one's own"],
)
def test_after_an_interrupted_fit_the_next_one_is_not_measured(data, build, batches, run):
    model, guard = network(), sg.ShiftGuard(verbose=0, on_mismatch="fix")
    with pytest.raises(Interrupt):
        fit(model, data, guard, build())
    stream = guard._run.stream("train")
    stream.drain()
    assert stream.profile.num_samples == batches * 16
    getattr(model, run)(*data)
    assert stream.drain().num_samples == 0
    # The guard of a later fit replaces the guard that the interrupted fit left on the model.
    other = sg.ShiftGuard(verbose=0)
    fit(model, data, other)
    assert other.profiles["train"].num_samples == 80
    assert not hasattr(model.train_function, "shiftguard_probe")


class BeforeStep(During):
    """Calls the function after the guard began a batch, and before the step gets it."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch + 1:
            self.function(self.model)

    on_train_batch_end = keras.callbacks.Callback.on_train_batch_end


@pytest.mark.parametrize("moment", [During, BeforeStep])
@pytest.mark.parametrize(
    "repair", ["on_mismatch", pytest.param("adapt", marks=pytest.mark.thorough)]
)
def test_after_an_interrupted_fit_the_next_one_is_not_repaired(data, repair, moment):
    """The next fit neither corrects nor augments its input, although its step is still wrapped."""
    plain, model = network(), network()
    guard = sg.ShiftGuard(verbose=0, **{repair: {"on_mismatch": "fix", "adapt": True}[repair]})

    def interrupted(model):
        for correction in guard._run.stream("train").corrections.values():
            correction.switch_on(None, (2.0,) * 3, (0.0,) * 3)
        if guard.augmentation is not None:
            strengths = guard.augmentation.inputs["input"].strengths
            strengths.assign(np.ones(strengths.shape))
        raise Interrupt

    with pytest.raises(Interrupt):
        fit(model, data, guard, moment(interrupted, batch=0), shuffle=False)
    assert hasattr(model.train_function, "shiftguard_probe")
    with pytest.raises(Interrupt):
        fit(plain, data, moment(interrupt, batch=0), shuffle=False)
    for each in (plain, model):
        keras.utils.set_random_seed(1)
        fit(each, data, shuffle=False)
    assert all(map(np.array_equal, plain.get_weights(), model.get_weights()))


@pytest.mark.slow_on_tensorflow
def test_a_guard_that_is_not_in_a_list(data):
    """Without a list, Keras ends batches in other threads while the next batches run."""
    plain, model, guard = network(), network(), sg.ShiftGuard(verbose=0, on_shift="ignore")
    more = {"batch_size": 4, "validation_data": data, "shuffle": False, "verbose": 0}
    plain.fit(*data, **more)
    model.fit(*data, callbacks=guard, **more)
    assert all(map(np.array_equal, plain.get_weights(), model.get_weights()))
    assert {name: p.num_samples for name, p in guard.profiles.items()} == {
        "train": 80,
        "validation": 80,
    }


class Nosy(keras.callbacks.Callback):
    """Runs the model on other data before and after each batch, and at the end of each epoch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def on_train_batch_begin(self, batch, logs=None):
        self.model.evaluate(self.x, self.y, verbose=0)

    def on_train_batch_end(self, batch, logs=None):
        self.model.predict(self.x, verbose=0)

    def on_epoch_end(self, epoch, logs=None):
        self.model.evaluate(self.x, self.y, verbose=0)


@pytest.mark.slow_on_tensorflow
def test_other_runs_inside_of_a_fit_are_no_part_of_it(data):
    x, y = data
    guard = sg.ShiftGuard(verbose=0)
    fit(network(), data, Nosy(9 * x, y), guard, epochs=2, validation_data=(x[:20], y[:20]))
    assert guard.profiles["train"].num_samples == 80
    assert guard.profiles["validation"].num_samples == 20
    assert all(p.inputs["input"].maximum.max() <= 1 for p in guard.profiles.values())
    assert "prediction" not in guard.profiles


def test_predictions_are_watched_and_compared_with_the_reference(data, capsys):
    x, y = data
    model = network()
    guard = sg.ShiftGuard(reference=np.tile(x, (3, 1, 1, 1)), on_shift="ignore")
    dark = np.tile(x * 0.4, (3, 1, 1, 1))
    plain = model.predict(dark, verbose=0)
    watched = model.predict(dark, callbacks=[guard], verbose=0)
    np.testing.assert_array_equal(plain, watched)
    assert guard.profiles["prediction"].num_samples == 240
    assert guard.report.shifted
    assert {(f.stream, f.against) for f in guard.report.findings} == {("prediction", "reference")}
    assert guard.diagnosis is not None
    assert not hasattr(model.predict_function, "shiftguard_probe")
    assert "prediction" in capsys.readouterr().out
