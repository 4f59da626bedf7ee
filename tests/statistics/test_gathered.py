"""`Gathered`: small batches that are measured together on PyTorch."""

import keras
import numpy as np
import pytest

from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.stream import Stream

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the others compile, and gather nothing"
)


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
