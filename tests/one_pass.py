"""A stream after one pass over its samples, for tests that need no fit."""

import keras

from keras_shiftguard.statistics.batch import spec_for
from keras_shiftguard.statistics.stream import Stream

BATCH = 32


def stream_of(x, y):
    """Returns a stream after one pass over the samples."""
    stream = Stream("train")
    stream.build([spec_for("input", (None, *x.shape[1:]), "channels_last")])
    for start in range(0, len(x) // BATCH * BATCH, BATCH):
        rows = slice(start, start + BATCH)
        tensors = keras.ops.convert_to_tensor(x[rows]), keras.ops.convert_to_tensor(y[rows])
        stream.update({"input": tensors[0]}, *tensors)
    return stream
