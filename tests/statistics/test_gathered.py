"""`Gathered`: small batches that are measured together on PyTorch."""

import keras
import numpy as np
import pytest

from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.gathered import MAX_SAMPLES, Batch, Gathered
from keras_shiftguard.statistics.stream import Stream

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the others compile, and gather nothing"
)


def batch(size, value=0.0, columns=2, chosen=None):
    x = keras.ops.full((size, columns), value, dtype="float32")
    return Batch({"input": x}, keras.ops.zeros((size,), dtype="int32"), chosen)


def test_small_batches_wait_until_there_are_enough_samples():
    gathered, found = Gathered(), []
    for i in range(20):
        found += gathered.add(batch(32, i, chosen=np.array([i])))
    assert [len(every.inputs["input"]) for every, _ in found] == [MAX_SAMPLES]
    every, measured = found[0]
    assert every.y.shape[0] == MAX_SAMPLES and measured is every
    assert list(every.chosen) == [33 * i for i in range(16)]  # the i-th sample of the i-th batch
    ((rest, _),) = gathered.take()
    assert rest.inputs["input"].shape[0] == 4 * 32 and gathered.take() == []


def test_batches_that_are_only_counted_are_not_measured():
    gathered = Gathered()
    for i in range(4):
        gathered.add(batch(8, i, chosen=np.arange(8) if i % 2 else None))
    ((every, measured),) = gathered.take()
    assert every.inputs["input"].shape[0] == 32
    assert set(measured.inputs["input"][:, 0].tolist()) == {1.0, 3.0}
    assert list(measured.chosen) == list(range(16))


def test_large_batches_and_other_shapes_do_not_wait():
    gathered = Gathered()
    assert gathered.add(batch(8)) == []
    other, large = batch(8, columns=3), batch(MAX_SAMPLES, columns=3)
    assert [len(each.inputs["input"]) for each, _ in gathered.add(other)] == [8]
    found = gathered.add(large)
    assert [len(each.inputs["input"]) for each, _ in found] == [8, MAX_SAMPLES]
    assert found[1][0] is large  # not copied


def test_a_loader_may_write_its_next_batch_into_the_same_memory():
    stream = Stream("train")
    stream.build([spec_for("input", (None, 2), "channels_last", "float32")])
    memory = np.zeros((16, 2), "float32")
    for value in (1.0, 2.0, 6.0):
        memory[:] = value
        stream.update({"input": memory}, memory, np.full(16, int(value)))
    profile = stream.drain()
    assert profile.inputs["input"].mean == pytest.approx([3.0, 3.0])
    assert profile.inputs["input"].num_samples == 48
    assert profile.labels.counts[[1, 2, 6]].tolist() == [16, 16, 16]
