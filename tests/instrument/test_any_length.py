"""Inputs of one number, of booleans and of texts of any length are measured as well."""

import keras
import numpy as np
import pytest
from keras import layers
from small_fits import compiled, watched

import keras_shiftguard as sg

pytestmark = [pytest.mark.backend, pytest.mark.each_backend]
RNG = np.random.default_rng(0)


def quiet():
    return sg.ShiftGuard(on_shift="ignore", verbose=0)


def reader():
    """Returns a classifier of texts of any length."""
    keras.utils.set_random_seed(0)
    body = layers.Embedding(100, 4), layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid")
    return compiled((None,), *body, loss="binary_crossentropy", dtype="int32")


TEXTS = RNG.integers(1, 90, (640, 12)).astype("int32")
SHORT = (TEXTS.mean(axis=1) < 45).astype("float32")


def test_single_numbers_and_booleans_are_columns():
    inputs = {name: keras.Input((), name=name) for name in ("age", "income")}
    inputs["member"] = keras.Input((), name="member", dtype="bool")
    columns = [layers.Reshape((1,))(keras.ops.cast(x, "float32")) for x in inputs.values()]
    outputs = layers.Dense(1, activation="sigmoid")(layers.Concatenate()(columns))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy")
    x = {name: RNG.normal(size=600).astype("float32") for name in ("age", "income")}
    x["member"] = RNG.random(600) < 0.5
    y = (x["income"] > 0).astype("float32")
    train, val = (
        {k: v[rows].copy() for k, v in x.items()} for rows in (slice(400), slice(400, 600))
    )
    val["income"] *= 12
    guard = watched(model, (train, y[:400]), (val, y[400:]), 2)
    assert guard.profiles["train"].inputs.keys() == {"age", "income", "member"}
    member = guard.profiles["train"].inputs["member"]
    assert member.mean[0] == pytest.approx(train["member"].mean(), abs=1e-6)
    assert {f.feature.split("/")[0] for f in guard.report.findings} == {"income"}


def test_texts_of_any_declared_length_are_measured():
    shifted = np.minimum(TEXTS[400:] + 5, 99)
    guard = watched(reader(), (TEXTS[:400], SHORT[:400]), (shifted, SHORT[400:]), 2)
    assert guard.profiles["train"].num_samples == 400 and guard.report.findings
    assert guard.profiles["train"].inputs["input"].num_channels == 12


class Padded(keras.utils.PyDataset):
    """Batches that are padded to the length of their longest text."""

    def __init__(self, texts, labels):
        super().__init__()
        self.texts, self.labels = texts, labels

    def __len__(self):
        return len(self.texts) // 32

    def __getitem__(self, i):
        rows = slice(32 * i, 32 * i + 32)
        return self.texts[rows, : 6 + i % 7], self.labels[rows]


def test_each_batch_may_have_another_length():
    histories = []
    for guards in ([], [quiet()]):
        train, val = Padded(TEXTS[:320], SHORT[:320]), Padded(TEXTS[320:], SHORT[320:])
        more = {"validation_data": val, "callbacks": guards, "verbose": 0, "shuffle": False}
        history = reader().fit(train, epochs=2, **more).history
        histories.append({name: v for name, v in history.items() if "shift" not in name})
    assert histories[0] == histories[1]
    (guard,) = guards
    sizes = {guard.profiles[n].inputs["input"].num_channels for n in ("train", "validation")}
    assert len(sizes) == 1 and guard.profiles["validation"].num_samples == 320
