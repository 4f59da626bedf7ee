"""Information that validation lacks: training without it shows what that costs."""

import keras
import numpy as np
import pytest

import keras_shiftguard as sg
from keras_shiftguard.experiments.lossy_rows import lossy_texts

pytestmark = pytest.mark.backend
WORDS, LENGTH = 200, 24


def fitted(layers, train, validation, **fit):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.fit(*train, validation_data=validation, verbose=0, callbacks=[guard], **fit)
    return guard.verdict


@pytest.fixture(scope="module")
def texts():
    """Texts of two classes, each with a tenth of the words more often; most end before LENGTH."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 3000)
    x = rng.integers(2, WORDS, (3000, LENGTH))
    own = rng.random(x.shape) < 0.12
    x = np.where(own, 2 + 20 * y[:, None] + rng.integers(0, 20, x.shape), x)
    length = rng.integers(LENGTH // 2, LENGTH + 1, 3000)
    return np.where(np.arange(LENGTH) < length[:, None], x, 0).astype("int32"), y


def unknown(x):
    hit = np.random.default_rng(1).random(x.shape) < 0.6
    return np.where(hit & (x > 0), 1, x).astype("int32")


def cut(x):
    return np.where(np.arange(LENGTH) < 6, x, 0).astype("int32")


@pytest.mark.parametrize(
    ("change", "cause", "step"),
    [
        (unknown, "unknown words", "vectorizer of training"),
        (cut, "cut after 6 tokens", "length of training"),
    ],
)
def test_words_that_are_unknown_and_texts_that_are_cut_are_told(texts, change, cause, step):
    x, y = texts
    layers = [
        keras.Input((LENGTH,), dtype="int32"),
        keras.layers.Embedding(WORDS, 8),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
    validation = change(x[2000:]), y[2000:]
    verdict = fitted(layers, (x[:2000], y[:2000]), validation, epochs=6)
    assert verdict.state == "act" and cause in verdict.cause and step in verdict.step
    before = fitted(layers_of(layers), (x[:2000], y[:2000]), (x[2000:], y[2000:]), epochs=6)
    assert before.state == "fine"


def layers_of(layers):
    """The same layers, new."""
    return [
        keras.Input((LENGTH,), dtype="int32"),
        *(layer.__class__.from_config(layer.get_config()) for layer in layers[1:]),
    ]


def test_ids_of_any_size_are_counted_without_a_table_of_all_ids():
    """Hashed ids reach two thousand millions; a count for each of them would need 16 GB."""
    x = np.random.default_rng(0).integers(1, 2**31 - 1, (300, 8), dtype="int32")
    other = np.where(np.arange(8) < 3, 7, x).astype("int32")
    (found,), _ = lossy_texts(x, other)
    assert found.choice.name == "unknown" and found.choice.strength[0] == 7


@pytest.mark.each_backend
def test_a_series_that_is_clipped_is_told_with_its_range():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 2400)
    size = (1 + y)[:, None] + 0.3 * rng.normal(size=(2400, 1))
    x = size * np.sin(np.arange(32) / 3 + rng.uniform(0, 6, (2400, 1)))
    x = (x + 0.1 * rng.normal(size=x.shape))[..., None].astype("float32")
    layers = [
        keras.Input((32, 1)),
        keras.layers.Conv1D(8, 5, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    validation = np.clip(x[1600:], -1.5, 1.5), y[1600:]
    verdict = fitted(layers, (x[:1600], y[:1600]), validation, epochs=8)
    assert verdict.state == "act" and "clipped to -1.5 to 1.5" in verdict.cause
    assert verdict.cost > 0.1
