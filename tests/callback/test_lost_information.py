"""Information that validation lacks: training without it shows what that costs."""

import numpy as np
import pytest
from keras import layers
from small_fits import compiled, watched

from keras_shiftguard.experiments.candidates.lossy_rows import lossy_texts

pytestmark = pytest.mark.backend
WORDS, LENGTH = 200, 24


@pytest.fixture(scope="module")
def texts():
    """Texts of two classes, each with a tenth of the words more often; most end before LENGTH."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    x = rng.integers(2, WORDS, (2000, LENGTH))
    own = rng.random(x.shape) < 0.12
    x = np.where(own, 2 + 20 * y[:, None] + rng.integers(0, 20, x.shape), x)
    length = rng.integers(LENGTH // 2, LENGTH + 1, 2000)
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
        (lambda x: x, "Validation looks like training", ""),
    ],
    ids=["unknown", "cut", "right"],
)
def test_words_that_are_unknown_and_texts_that_are_cut_are_told(texts, change, cause, step):
    x, y = texts
    embedding, pooling = layers.Embedding(WORDS, 8), layers.GlobalAveragePooling1D()
    head = layers.Dense(2, activation="softmax")
    model = compiled((LENGTH,), embedding, pooling, head, dtype="int32")
    verdict = watched(model, (x[:1300], y[:1300]), (change(x[1300:]), y[1300:]), 6).verdict
    assert verdict.state == ("act" if step else "fine")
    assert cause in verdict.cause and step in verdict.step


def test_a_cut_is_told_though_the_model_knows_its_texts_by_heart_and_fails_on_all_others(texts):
    x, y = texts
    embedding, head = layers.Embedding(WORDS, 32), layers.Dense(2, activation="softmax")
    model = compiled((LENGTH,), embedding, layers.Flatten(), head, dtype="int32")
    verdict = watched(model, (x[:1000], y[:1000]), (cut(x[1000:]), y[1000:]), 10).verdict
    assert verdict.state == "act" and "cut after 6 tokens" in verdict.cause


def test_ids_of_any_size_are_counted_without_a_table_of_all_ids():
    """Hashed ids reach two thousand millions; a count for each of them would need 16 GB."""
    rng = np.random.default_rng(0)
    x = rng.choice(rng.integers(8, 2**31 - 1, 200, dtype="int32"), (300, 8))
    other = np.where(np.arange(8) < 3, 7, x).astype("int32")
    (found,), _ = lossy_texts(x, other)
    assert found.choice.name == "unknown" and found.choice.strength[0] == 7


def test_new_texts_have_about_as_many_unknown_words_as_training_has_words_that_occur_once():
    rng = np.random.default_rng(0)
    words = np.minimum(rng.zipf(1.5, (2, 1500, 8)), 10**6) + 1
    known, (x, other) = np.unique(words[0]), words
    natural = np.where(np.isin(other, known), other, 1)
    assert (natural == 1).mean() > 0.03 and not lossy_texts(x, natural)[0]
    assert lossy_texts(x, np.where(other % 2, 1, natural))[0]


@pytest.mark.each_backend
def test_a_series_that_is_clipped_is_told_with_its_range():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 1500)
    size = (1 + y)[:, None] + 0.3 * rng.normal(size=(1500, 1))
    x = size * np.sin(np.arange(32) / 3 + rng.uniform(0, 6, (1500, 1)))
    x = (x + 0.1 * rng.normal(size=x.shape))[..., None].astype("float32")
    convolution, pooling = layers.Conv1D(8, 5, activation="relu"), layers.GlobalAveragePooling1D()
    model = compiled((32, 1), convolution, pooling, layers.Dense(3, activation="softmax"))
    validation = np.clip(x[1000:], -1.5, 1.5), y[1000:]
    verdict = watched(model, (x[:1000], y[:1000]), validation, 8).verdict
    assert verdict.state == "act" and "clipped to -1.5 to 1.5" in verdict.cause
    assert verdict.cost > 0.1
