"""The kept images of a pass: the first ones at once, then some of each measured batch."""

import numpy as np
import pytest
from keras import ops

from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.kept_samples import FIRST_SAMPLES, KeptSamples
from keras_shiftguard.statistics.spread import spread_groups
from keras_shiftguard.statistics.stream import Stream

pytestmark = pytest.mark.backend


def numbered(start, number, side=8):
    """Returns images whose pixels are their position in the pass, and these positions."""
    position = np.arange(start, start + number)
    return np.broadcast_to(position[:, None, None, None], (number, side, side, 1)), position


def kept_of(batches, measured, max_samples=64, batch=20):
    """Returns the positions of the kept images of a pass, and their labels."""
    buffer = KeptSamples(spec_for("input", (None, 8, 8, 1), "channels_last"), max_samples)
    buffer.spread(measured)
    for i in range(batches):
        x, y = numbered(i * batch, batch)
        buffer.update(ops.convert_to_tensor(x.astype("float32")), ops.convert_to_tensor(y % 7))
    images, labels = buffer.read()
    assert np.ptp(images, axis=(1, 2, 3)).max() == 0
    return images[:, 0, 0, 0].astype(int), labels


def test_the_first_images_come_at_once_and_the_others_from_the_whole_pass():
    positions, labels = kept_of(batches=40, measured=40)
    np.testing.assert_array_equal(positions[:20], np.arange(20))
    assert np.bincount(positions[:FIRST_SAMPLES] // 20).tolist() == [20, FIRST_SAMPLES - 20]
    np.testing.assert_array_equal(labels, positions % 7)
    assert len(positions) == 64
    batches = positions[FIRST_SAMPLES:] // 20
    assert np.bincount(batches).max() <= 2  # few images of each batch
    assert batches.max() >= 16


@pytest.mark.parametrize("batch", [1, 20, 200])
def test_a_pass_of_unknown_length_is_kept_evenly(batch):
    first = kept_of(1, None, batch=batch)[0]
    np.testing.assert_array_equal(first, spread_groups(batch, 64))
    assert batch < 200 or first.tolist()[:4] == [0, 1, 2, 3] and first.max() > 180
    positions, _ = kept_of(batches=100, measured=None, batch=batch)
    assert (24 if batch == 1 else 48) <= len(positions) <= 64
    quarters = np.bincount(positions * 4 // (100 * batch), minlength=4)
    assert quarters.max() <= 1.6 * quarters.min()
    if batch > 1:
        assert (np.diff(positions) == 1).sum() >= len(positions) // 2 - 1  # pairs of neighbours


@pytest.mark.each_backend
def test_images_of_several_inputs_are_of_the_same_samples():
    """Each input has one batch with images of another size, which its buffer leaves out."""
    stream = Stream("test")
    stream.build([spec_for(name, (None, None, None, 1), "channels_last") for name in "ab"])
    for i, sides in enumerate([(8, 12), (9, 12), (8, 12), (8, 13)]):
        batches = [numbered(10 * i, 10, side) for side in sides]
        x = {
            name: ops.convert_to_tensor(images.astype("float32"))
            for name, (images, _) in zip("ab", batches, strict=True)
        }
        stream.update(x, x, ops.convert_to_tensor(batches[0][1] % 7))
    for limit, expected in ((None, [*range(10), *range(20, 30)]), (4, range(4))):
        images, labels = stream.samples(limit)
        assert all(list(images[name][:, 0, 0, 0]) == list(expected) for name in "ab")
        np.testing.assert_array_equal(labels, np.asarray(expected) % 7)
    stream.forget_samples()
    assert [len(part) for part in stream.samples()[0].values()] == [0, 0]


def test_parts_of_samples_are_marked():
    """A frame of a long video and a crop of a large image are not the whole sample."""
    for shape, spec_shape, whole in (
        ((4, 8, 8, 1), (None, 8, 8, 1), True),
        ((4, 5, 8, 8, 1), (None, 5, 8, 8, 1), True),
        ((4, 40, 64, 64, 1), (None, 40, 64, 64, 1), False),
        ((4, 300, 8, 1), (None, None, 8, 1), False),
        ((4, 200, 8, 1), (None, None, 8, 1), True),
    ):
        buffer = KeptSamples(spec_for("input", spec_shape, "channels_last"))
        buffer.update(ops.zeros(shape))
        assert buffer.is_whole == whole


def test_a_small_video_is_kept_whole_and_read_as_its_middle_frame():
    x = np.random.default_rng(0).normal(size=(6, 5, 8, 8, 1)).astype("float32")
    buffer = KeptSamples(spec_for("input", (None, 5, 8, 8, 1), "channels_last"))
    buffer.update(ops.convert_to_tensor(x))
    np.testing.assert_array_equal(buffer.read()[0], x[:, 2])
    np.testing.assert_array_equal(buffer.read_whole()[0], x)
    assert KeptSamples(buffer.spec).read_whole()[0].shape[0] == 0


def test_labels_that_are_no_classes_are_kept_as_they_were_fed():
    stream = Stream("train")
    stream.build([spec_for("input", (None, 8, 8, 1), "channels_last")])
    stream.plan_pass(30, is_first=True, repeats=False)
    for i in range(30):
        x, position = numbered(i * 20, 20)
        x = ops.convert_to_tensor(x.astype("float32"))
        y = {"a": position + 0.5, "b": np.stack([position, position], axis=1)[:, :, None]}
        y = {name: ops.convert_to_tensor(part.astype("float32")) for name, part in y.items()}
        stream.update({"input": x}, x, y)
    ((_, kept),) = stream.buffers.items()
    images, ids = kept.read()
    targets = kept.targets()
    assert (ids == -1).all() and len(targets) == len(images) > 500
    np.testing.assert_array_equal(targets.tree["a"], images[:, 0, 0, 0] + 0.5)
    assert targets.tree["b"].shape == (len(images), 2, 1)
    assert len(targets[:7]) == 7


@pytest.mark.each_backend
def test_one_hot_labels_and_text_are_not_kept_twice():
    buffer = KeptSamples(spec_for("input", (None, 8, 8, 1), "channels_last"))
    buffer.update(ops.zeros((5, 8, 8, 1)), ops.convert_to_tensor(np.eye(5, dtype="float32")))
    assert buffer.targets() is None and buffer.read()[1].tolist() == [0, 1, 2, 3, 4]
    buffer = KeptSamples(spec_for("input", (None, 8, 8, 1), "channels_last"))
    buffer.update(ops.zeros((2, 8, 8, 1)), np.array(["a", "b"]))
    assert buffer.targets() is None
