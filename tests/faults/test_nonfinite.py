"""NaN and infinity in a few samples: one warning says how many, where, and since when."""

import warnings

import keras
import numpy as np
import pytest
from faults.fits import BACKEND
from keras import layers

import keras_shiftguard as sg

pytestmark = [pytest.mark.backend, pytest.mark.eager]
RNG = np.random.default_rng(0)
ROWS = 200
TABLE, Y = RNG.normal(size=(ROWS, 6)).astype("float32"), RNG.integers(0, 3, ROWS)
IMAGES = RNG.random((ROWS, 8, 8, 3)).astype("float32")


class ZeroForNaN(layers.Layer):
    def call(self, x):
        return keras.ops.where(keras.ops.isnan(x), keras.ops.zeros_like(x), x)


def network(x, *front):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), *front, layers.Flatten(), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"], run_eagerly=BACKEND == "tensorflow")
    return model


def broken(x, value=np.nan, column=2):
    """Returns a copy with the value in every hundredth sample: in a column, or in one pixel."""
    x = x.copy()
    x[10::100, column] = value
    return x


def told(act, **arguments):
    """Returns the guard, and its warnings of values that are not finite."""
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore", **arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act(guard)
    texts = [str(each.message) for each in caught if each.category is sg.ShiftWarning]
    return guard, [text for text in texts if "not finite" in text]


def fit(x, validation, *front, **more):
    def act(guard):
        data = {"validation_data": (validation, Y)} if validation is not None else {}
        more.setdefault("callbacks", []).append(guard)
        network(x, *front).fit(x, Y, 20, **{"epochs": 3, "verbose": 0, **data, **more})

    return act


@pytest.mark.parametrize(
    ("value", "on_shift"), [(np.nan, "warn"), (np.inf, "ignore")], ids=["nan", "inf"]
)
def test_one_row_in_a_hundred_is_told_once(value, on_shift):
    x = broken(TABLE, value)
    guard, (text,) = told(fit(x, x), on_shift=on_shift)
    for stream in ("training", "validation"):
        sentence = (
            f"2 of 200 {stream} samples (1 %) of input hold NaN or infinity, in column 2, since "
            "epoch 1"
        )
        assert f"  - {sentence}.\n" in text and sentence in guard.report.notes
    assert guard.profiles["train"].inputs["input"].nonfinite_samples == 2


@pytest.mark.each_backend
@pytest.mark.parametrize("which", ["training", "validation"])
def test_the_stream_with_such_images_is_named(which):
    bad = broken(IMAGES)
    x, validation = (bad, IMAGES) if which == "training" else (IMAGES, bad)
    _, (text,) = told(fit(x, validation))
    assert f"2 of 200 {which} images (1 %) of input hold NaN or infinity, since epoch 1." in text
    assert text.count("  - ") == 1


def test_the_epoch_is_that_in_which_they_came():
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                x[::100, [0, 4]] = np.nan

    x = TABLE.copy()

    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 10

        def __getitem__(self, i):
            return x[i * 20 : (i + 1) * 20], Y[i * 20 : (i + 1) * 20]

    def act(guard):
        # Keras's own callback ends such a fit within the epoch.
        callbacks = [Spoil(), keras.callbacks.TerminateOnNaN(), guard]
        network(x).fit(Rows(), epochs=3, shuffle=False, callbacks=callbacks, verbose=0)

    _, (text,) = told(act)
    assert "(5 %) of input hold NaN or infinity, in columns 0, 4, since epoch 2." in text


def test_a_model_that_fills_missing_values_gets_a_note_and_no_warning():
    x = broken(TABLE)
    guard, texts = told(fit(x, x, ZeroForNaN()))
    assert not texts
    assert any("2 of 200 training samples" in note for note in guard.report.notes)


def test_an_evaluation_tells_them_and_a_prediction_notes_them():
    x, model = broken(TABLE), network(TABLE)
    _, (text,) = told(lambda guard: model.evaluate(x, Y, verbose=0, callbacks=[guard]))
    assert "2 of 200 validation samples (1 %) of input hold NaN or infinity, in column 2." in text
    guard, texts = told(lambda guard: model.predict(x, verbose=0, callbacks=[guard]))
    assert not texts
    assert any("2 of 200 prediction samples" in note for note in guard.report.notes)
