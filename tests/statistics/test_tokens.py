"""Token sketches measure the frequencies and groups of integer ids, and the lengths of texts."""

import numpy as np
import pytest
from keras import ops

from keras_shiftguard.profiles.token_groups import TOKEN_BUCKETS
from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.sketch import Sketch

pytestmark = pytest.mark.backend


def summary_of(x, spec):
    sketch = Sketch(spec)

    for start in range(0, len(x), 20):
        part = ops.convert_to_tensor(x[start : start + 20])
        sketch.count(part)
        sketch.measure(part)
    return sketch.drain()


@pytest.fixture
def texts():
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 9000, (60, 100)).astype("int32")
    lengths = rng.integers(0, 101, 60)
    return np.where(np.arange(100) < lengths[:, None], ids, 0), lengths


@pytest.mark.parametrize("dtype", [None, "int32"])
def test_texts(texts, dtype):
    x, lengths = texts
    got = summary_of(x, spec_for("x", (None, 100), "channels_last", dtype))
    np.testing.assert_array_equal(
        got.tokens, np.bincount(x.ravel() % TOKEN_BUCKETS, minlength=TOKEN_BUCKETS)
    )
    assert got.features.names == ("length", *(f"group/{i}" for i in range(16)))
    assert got.features.mean("length") == pytest.approx(lengths.mean(), rel=1e-6)
    # An empty text has a length, but its shares of groups are undefined.
    np.testing.assert_array_equal(got.features.missing, [0] + [np.sum(lengths == 0)] * 16)
    assert got.features.moments.mean[1:].sum() == pytest.approx(1, abs=1e-5)
    # Hashing spreads ids evenly over the groups.
    assert got.features.moments.mean[1:].min() > 0.04


def test_categories_are_columns_as_well():
    x = np.random.default_rng(1).integers(0, 4, (60, 3))
    got = summary_of(x, spec_for("x", (None, 3), "channels_last", "int64"))
    assert got.features.names[:4] == ("0", "1", "2", "length")
    np.testing.assert_allclose(got.features.moments.mean[:3], x.mean(axis=0), rtol=1e-6)


def test_an_unknown_dtype_shows_in_the_first_batch():
    spec = spec_for("x", (None, 3), "channels_last")
    assert spec.tokens is None
    x = np.random.default_rng(2).random((60, 3)).astype("float32")
    got = summary_of(x, spec)
    assert got.features.names == ("0", "1", "2") and got.tokens.shape == (0,)
