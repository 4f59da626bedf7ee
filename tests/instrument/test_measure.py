"""`profile` measures every sample of the data once, for all kinds of data."""

import os

import numpy as np
import numpy_reference
import pytest

from keras_shiftguard import BadInputError, ShiftWarning, profile
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.profiles import InputProfile

backend = pytest.mark.backend


@pytest.fixture
def photos(rng):
    return (rng.random((70, 16, 16, 3)) * 255).astype("float32"), rng.integers(0, 4, 70)


def columns_of(x, y=None):
    """Returns the profile of one batch."""
    return profile_of((({"input": x}, y),))


@backend
def test_every_sample_is_looked_at_and_labels_are_counted(photos):
    x, y = photos
    got = profile((x, y))
    summary = got.inputs["input"]
    assert summary.features.num_samples == summary.embedding.count == got.num_samples == 70
    want = numpy_reference.embedding(numpy_reference.thumbnail(x))
    np.testing.assert_allclose(summary.embedding.mean[2:], want.mean[2:], atol=1e-4)
    assert got.labels.are_classes
    height, width = x.shape[1:3]
    words = f"<InputProfile of 70 samples ('input': images of {height} x {width}, 3 channels)>"
    assert repr(got) == words and got != profile(x)
    np.testing.assert_array_equal(got.labels.counts[:4], np.bincount(y))
    np.testing.assert_array_equal(got.labels.by_class.count[:4, 0], np.bincount(y))
    assert profile(x).labels.num_samples == 0
    with pytest.warns(ShiftWarning, match="The labels are not checked, because they are no num"):
        assert profile((x, y.astype(str))).labels.num_samples == 0


@backend
def test_a_batch_of_any_size(rng):
    x = rng.normal(1e4, 1, (600, 3)).astype("float32")
    got = columns_of(x, rng.integers(0, 2, 600)).inputs["input"]
    want = numpy_reference.feature_table(x, "012")
    assert got.features.num_samples == got.embedding.count == 600
    np.testing.assert_allclose(got.features.moments.mean, want.moments.mean, rtol=1e-7)
    np.testing.assert_allclose(got.features.moments.std, want.moments.std, rtol=1e-3)


def test_labels_of_several_outputs_are_left_out(photos):
    x, y = photos
    got = profile_of([({"input": x}, {"a": y, "b": y})])
    assert got.labels.num_samples == 0 and got.num_samples == 70


def test_the_file_of_photos_with_labels_is_small(tmp_path, rng):
    x = rng.normal(rng.random((64, 1, 1, 3)) * 255, 60, (64, 224, 224, 3)).clip(0, 255)
    profile((x.astype("uint8"), rng.integers(0, 100, 64))).save(tmp_path / "a.profile")
    assert os.path.getsize(tmp_path / "a.profile") < 300_000
    assert InputProfile.load(tmp_path / "a.profile").num_samples == 64


def test_images_that_have_other_channels_later():
    parts = (np.zeros((4, 8, 8, channels), "float32") for channels in (1, 3))
    with pytest.raises(BadInputError, match="images of 1 channels and of 3"):
        profile(parts)


@pytest.mark.parametrize("kind", ["sparse", "none in a dict", "tensorflow"])
def test_weighted_data_of_each_kind(rng, kind):
    """Samples of weight 0 are left out where their rows can be selected; nothing else changes."""
    x, y = rng.random((8, 5)).astype("float32"), np.arange(8) % 2
    w = (np.arange(8) % 4 > 0).astype("float32")
    number = 6
    if kind == "sparse":
        data, number = (pytest.importorskip("scipy.sparse").csr_array(x), y, w), 8
    elif kind == "none in a dict":
        data = iter([({"a": None, "b": x}, y, w)])
    else:
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices((x, y, w)).batch(4)
    assert profile(data).num_samples == number
