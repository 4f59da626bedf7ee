"""A buffer of the first few images of a stream, on the device."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import class_ids, width_of
from keras_shiftguard.statistics.empty import is_empty
from keras_shiftguard.statistics.state import State
from keras_shiftguard.statistics.vectors import middle_frame

MAX_SAMPLES = 32
MAX_BYTES = 32 * 2**20
# Images of no fixed size are cropped in the middle to this many pixels a side. That is enough
# for early batch-norm layers and for the spectrum, which are local.
CROP = 256


class FirstSamples:
    """Buffer that fills with the images of the first batches, and is free of cost once full.

    The preprocessing diagnosis needs whole images, because batch norm depends on spatial
    structure, but the step must not copy batches to the host. So a few images stay on the
    device, as they were fed, until the host reads them. Of a video or a volume, the middle
    frame is stored.

    Args:
        spec: Specification of the image input.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.height, self.width = (CROP if side is None else side for side in spec.size)
        image = self.height * self.width * spec.channels * 4
        self.capacity = int(np.clip(MAX_BYTES // image, 4, MAX_SAMPLES))
        first = spec.layout == "channels_first"
        size = (self.height, self.width)
        shape = (spec.channels, *size) if first else (*size, spec.channels)
        self.state = State("shiftguard_first")
        self.images = self.state.add("images", (self.capacity, *shape))
        self.sizes = self.state.add("sizes", (self.capacity, 2))
        self.labels = self.state.add("labels", (self.capacity,), fill=-1.0)
        self.filled = self.state.add("filled", ())
        # A copy on the host of whether the buffer is full: PyTorch, which is eager, would have
        # to wait for the device otherwise.
        self.done = False

    def update(self, x: Any, y: Any = None) -> None:
        """Stores as many images of one batch as still fit. Runs inside the compiled step."""
        if self.done and keras.backend.backend() == "torch":
            return
        x = middle_frame(x, self.spec)
        current = (self.images.value, self.sizes.value, self.labels.value)
        full = ops.logical_or(self.filled.value >= self.capacity, is_empty(x))
        if keras.backend.backend() == "jax":
            # On JAX both branches return all values; XLA does not copy unchanged ones.
            self._assign(ops.cond(full, lambda: current, lambda: self._merged(current, x, y)))
        else:
            # If the buffer is full or the batch is empty, nothing is copied.
            ops.cond(full, _nothing, lambda: self._assign(self._merged(current, x, y)))
        rows = ops.cast(ops.shape(x)[0], "float32")
        self.filled.assign(ops.minimum(self.filled + rows, float(self.capacity)))

    def _assign(self, values: tuple[Any, ...]) -> Any:
        for variable, value in zip((self.images, self.sizes, self.labels), values, strict=True):
            variable.assign(value)
        return _nothing()

    def reset(self) -> None:
        """Empties the buffer, so that it fills again."""
        self.state.reset()
        self.done = False

    def _merged(self, current: tuple[Any, ...], x: Any, y: Any) -> tuple[Any, ...]:
        """Returns the images, sizes and labels of the buffer with those of a batch added."""
        images, sizes, labels = current
        rows = ops.shape(x)[0]
        offset = ops.arange(self.capacity, dtype="int32") - ops.cast(self.filled.value, "int32")
        source = ops.clip(offset, 0, rows - 1)  # the row of the batch for each place
        taken = ops.logical_and(offset >= 0, offset < rows)
        axes = (2, 3) if self.spec.layout == "channels_first" else (1, 2)
        picked = ops.cast(ops.take(x, source, axis=0), "float32")
        for axis, limit in zip(axes, (self.height, self.width), strict=True):
            picked = _middle(picked, axis, limit)
        size = [
            ops.minimum(ops.cast(ops.shape(x)[axis], "float32"), float(limit))
            for axis, limit in zip(axes, (self.height, self.width), strict=True)
        ]
        row_mask = ops.reshape(taken, (-1, 1))
        return (
            ops.where(ops.reshape(taken, (-1, 1, 1, 1)), picked, images),
            ops.where(row_mask, ops.stack(size), sizes),
            ops.where(taken, ops.take(_ids_or_minus_one(y, rows), source, axis=0), labels),
        )

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns `(images, labels)` on the host; a label is -1 where it is unknown.

        Images of another size than the first are left out, so that the images are one array,
        in the layout of the input.
        """
        values = self.state.read()[0]
        filled = int(values["filled"])
        self.done = filled == self.capacity
        sizes = values["sizes"][:filled]
        same = np.all(sizes == sizes[:1], axis=1)
        images = values["images"][:filled][same].astype("float32")
        if len(images):
            height, width = sizes[0].astype(int)
            first = self.spec.layout == "channels_first"
            images = images[..., :height, :width] if first else images[:, :height, :width]
        return images, values["labels"][:filled][same].astype(int)


def _nothing() -> Any:
    """Returns a dummy value: both branches of `ops.cond` must return the same structure."""
    return ops.zeros(())


def _middle(x: Any, axis: int, limit: int) -> Any:
    """Returns the middle `limit` rows along `axis`; a shorter axis repeats its last row."""
    if x.shape[axis] == limit:
        return x
    length = ops.cast(ops.shape(x)[axis], "int32")
    start = ops.maximum(length - limit, 0) // 2
    return ops.take(x, ops.minimum(start + ops.arange(limit, dtype="int32"), length - 1), axis=axis)


def _ids_or_minus_one(y: Any, rows: Any) -> Any:
    """Returns the class ids of one batch, `(rows,)`, float32; -1 where a label is no class."""
    width = width_of(y)
    if not width:
        return ops.broadcast_to(ops.convert_to_tensor(-1.0, dtype="float32"), (rows,))
    ids, valid = class_ids(y, width)
    return ops.where(valid > 0, ops.cast(ids, "float32"), -1.0)
