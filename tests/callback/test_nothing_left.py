"""A guard leaves nothing in the model and its files, and does not write to the user's arrays."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
from callback.test_do_no_harm import sequential, train
from instrument.test_probe import compiled
from keras import layers
from left_behind import left_behind

from keras_shiftguard import ShiftGuard

pytestmark = [pytest.mark.backend, pytest.mark.each_backend, pytest.mark.thorough]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((60, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 60)


def test_checkpoints_written_in_mid_fit_hold_nothing_of_ours(data, tmp_path):
    def contents(guard, name):
        path = tmp_path / name
        checkpoint = keras.callbacks.ModelCheckpoint(path)
        train(sequential, data, [] if guard is None else [guard], [lambda: checkpoint])
        keys = []
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json").decode()
            archive.extract("model.weights.h5", tmp_path)
        with h5py.File(tmp_path / "model.weights.h5") as file:
            file.visit(keys.append)
        return keys, "shiftguard" in config.lower()

    plain, guarded = contents(None, "a.keras"), contents(ShiftGuard(verbose=0), "b.keras")
    assert plain == guarded
    assert not guarded[1]


class Interrupt(keras.callbacks.Callback):
    """Ends a fit at one hook, as Ctrl-C or a failing callback does."""

    def __init__(self, hook, error):
        super().__init__()
        self.hook, self.error = hook, error

        def stop(*args, **kwargs):
            raise self.error

        setattr(self, hook, stop)


HOOKS = ["on_train_batch_end", "on_epoch_end", "on_test_batch_end", "on_test_end"]


@pytest.mark.parametrize("hook", HOOKS)
def test_after_an_interrupt_the_model_works_as_before(hook, data, tmp_path):
    x, y = data
    model, guard = compiled(sequential()), ShiftGuard(verbose=0)
    error = KeyboardInterrupt() if hook == "on_epoch_end" else RuntimeError("the user's")
    with pytest.raises(type(error)):
        model.fit(
            x, y, validation_data=(x, y), callbacks=[guard, Interrupt(hook, error)], verbose=0
        )
    # The model works while the guard is still attached ...
    before = model.evaluate(x, y, verbose=0)
    predicted = model.predict(x, verbose=0)
    model.save(tmp_path / "interrupted.keras")
    again = keras.models.load_model(tmp_path / "interrupted.keras")
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0), before, rtol=1e-6)
    np.testing.assert_allclose(again.predict(x, verbose=0), predicted, rtol=1e-5, atol=1e-6)
    model.fit(x, y, verbose=0)
    # ... and `detach` or the next fit with a guard removes it.
    assert left_behind(model)
    if hook == HOOKS[0]:
        guard.detach()
    else:
        model.fit(x, y, callbacks=[ShiftGuard(verbose=0)], verbose=0)
    assert not left_behind(model)
    assert len(model.metrics_variables) == 4
    model.fit(x, y, validation_data=(x, y), verbose=0)


class Aligned(keras.utils.PyDataset):
    """Batches that are views of one array, aligned to 64 bytes.

    TensorFlow uses such memory without a copy, and may compute in place in it.
    """

    def __init__(self, shape, batch_size=64):
        super().__init__()
        raw = np.zeros(4 * int(np.prod(shape)) + 64, "uint8")
        start = -raw.ctypes.data % 64
        self.x = raw[start : start + 4 * int(np.prod(shape))].view("float32").reshape(shape)
        self.x[:] = np.random.default_rng(0).random(shape)
        self.batch_size = batch_size

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        x = self.x[self.batch_size * index :][: self.batch_size]
        return x, np.arange(len(x)) % 3


# With one channel, TensorFlow did compute in place.
@pytest.mark.parametrize("shape, target", [((256, 16, 16, 1), True), ((256, 64), False)])
def test_the_arrays_of_the_user_stay_as_they_were(shape, target):
    train, validation = Aligned(shape), Aligned(shape)
    before = train.x.copy()
    parts = [keras.Input(shape[1:]), layers.Flatten(name="flat"), layers.Dense(3)]
    model = compiled(keras.Sequential(parts))
    pool = Aligned(shape).x if target else None
    extra = {"target_data": pool, "feature_layer": "flat"} if target else {}
    guard = ShiftGuard(verbose=0, on_shift="ignore", **extra)
    model.fit(train, validation_data=validation, epochs=3, callbacks=[guard], verbose=0)
    model.evaluate(validation, callbacks=[ShiftGuard(verbose=0)], verbose=0)
    assert np.array_equal(train.x, before)
    assert np.array_equal(validation.x, before)
    assert pool is None or np.array_equal(pool, before)
