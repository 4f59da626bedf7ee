"""`KeptSamples`: a bounded sample of the images of a stream, with their labels."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import class_ids, host_class_ids, width_of
from keras_shiftguard.statistics.empty import is_empty
from keras_shiftguard.statistics.state import State, assign, on_host
from keras_shiftguard.statistics.vectors import middle_frame

FIRST_SAMPLES = 32  # images of the first batches, for the diagnosis of the preprocessing
MAX_SAMPLES = 1024  # images in a buffer
# On TensorFlow, only a buffer of at most MIN_SAMPLES images may be larger than MAX_COPIED_BYTES.
MIN_SAMPLES, MAX_COPIED_BYTES = 256, 4 * 2**20
MAX_BYTES = 64 * 2**20  # of a buffer; it may be larger only to hold 4 images
# Images without a fixed size are cropped to their middle, at most this many pixels a side. The crop
# is enough for early batch-norm layers and for the spectrum, which are local.
CROP = 256


class KeptSamples:
    """Buffer of images: those of the first batches, then a few of each measured batch.

    The preprocessing diagnosis needs whole images, because batch norm depends on spatial
    structure, and it needs them early. Later checks need images of the whole pass. On
    TensorFlow, where batches are seen inside the step, the images stay on the device, as they
    were fed, until the host reads them. On JAX and PyTorch the few images are copied to the host
    at once. Of a video or a volume, the middle frame is stored. A full buffer copies nothing.

    Args:
        spec: Specification of the image input.
        max_samples: The largest number of images in the buffer; of large images it holds fewer.
    """

    def __init__(self, spec: InputSpec, max_samples: int = MAX_SAMPLES) -> None:
        self.spec = spec
        self.height, self.width = (CROP if side is None else side for side in spec.size)
        bytes_per_image = self.height * self.width * spec.channels * 4
        self._in_step = False
        limit = MAX_BYTES // bytes_per_image
        if self._in_step:  # each measured step copies the buffer until it is full
            limit = min(limit, max(MAX_COPIED_BYTES // bytes_per_image, MIN_SAMPLES))
        self.capacity = int(np.clip(limit, 4, max_samples))
        self.per_batch = self.capacity  # images taken from each batch after FIRST_SAMPLES
        self.state = State("shiftguard_kept")
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []  # images and labels on the host
        if self._in_step:
            channels_first = spec.layout == "channels_first"
            size = (self.height, self.width)
            shape = (spec.channels, *size) if channels_first else (*size, spec.channels)
            self.images = self.state.add("images", (self.capacity, *shape))
            self.sizes = self.state.add("sizes", (self.capacity, 2))  # height and width
            self.labels = self.state.add("labels", (self.capacity,), fill=-1.0)
            self.filled = self.state.add("filled", ())  # number of images so far
            self._schedule = State("shiftguard_kept")  # `reset` does not change it
            self._per_batch = self._schedule.add("per_batch", (), fill=float(self.capacity))

    def spread(self, measured: int | None) -> None:
        """Spreads the images over a pass. Runs on the host.

        Args:
            measured: Number of measured batches of the pass. None if unknown: the first
                measured batches then fill the buffer.
        """
        self.per_batch = self.capacity if not measured else -(-self.capacity // measured)
        if self._in_step:
            assign(self._per_batch, float(self.per_batch))

    def update(self, x: Any, y: Any = None) -> None:
        """Stores the images of one batch that are due, as far as they fit."""
        if not self._in_step:
            return self._copy(x, y)
        x = middle_frame(x, self.spec)
        current = (self.images.value, self.sizes.value, self.labels.value)
        skip = ops.logical_or(self.filled.value >= self.capacity, is_empty(x))
        ops.cond(skip, _nothing, lambda: self._assign(self._merged(current, x, y)))
        rows = ops.minimum(ops.cast(ops.shape(x)[0], "float32"), self._due())
        self.filled.assign(ops.minimum(self.filled + rows, float(self.capacity)))

    def _due(self) -> Any:
        """Returns how many images of a batch are taken, on TensorFlow."""
        missing = float(FIRST_SAMPLES) - self.filled.value
        return ops.maximum(self._per_batch.value, missing)

    def _copy(self, x: Any, y: Any) -> None:
        """Copies the images of one batch, and their labels, to the host."""
        filled = sum(len(images) for images, _ in self._parts)
        room = min(self.capacity - filled, max(self.per_batch, FIRST_SAMPLES - filled))
        if room <= 0 or not x.shape[0]:
            return
        images = on_host(middle_frame(x[:room], self.spec)).astype("float32")
        axes = (2, 3) if self.spec.layout == "channels_first" else (1, 2)
        for axis, limit in zip(axes, (self.height, self.width), strict=True):
            start = max(images.shape[axis] - limit, 0) // 2
            images = np.take(images, range(start, min(start + limit, images.shape[axis])), axis)
        ids = host_class_ids(on_host(y[:room])) if width_of(y) else None
        labels = np.full(len(images), -1) if ids is None else np.maximum(ids, -1)
        self._parts.append((images, labels))

    def _assign(self, values: tuple[Any, ...]) -> Any:
        """Assigns images, sizes and labels to the buffer, and returns a dummy value."""
        for variable, value in zip((self.images, self.sizes, self.labels), values, strict=True):
            variable.assign(value)
        return _nothing()

    def reset(self) -> None:
        """Empties the buffer, so that it fills again."""
        self.state.reset()
        self._parts.clear()

    def _merged(self, current: tuple[Any, ...], x: Any, y: Any) -> tuple[Any, ...]:
        """Returns the images, sizes and labels of the buffer with those of a batch added."""
        images, sizes, labels = current
        rows = ops.shape(x)[0]
        offset = ops.arange(self.capacity, dtype="int32") - ops.cast(self.filled.value, "int32")
        # Place i of the buffer takes row `source[i]` of the batch, if `taken[i]`.
        source = ops.clip(offset, 0, rows - 1)
        due = ops.minimum(rows, ops.cast(self._due(), "int32"))
        taken = ops.logical_and(offset >= 0, offset < due)
        axes = (2, 3) if self.spec.layout == "channels_first" else (1, 2)
        picked = ops.cast(ops.take(x, source, axis=0), "float32")
        for axis, limit in zip(axes, (self.height, self.width), strict=True):
            picked = _middle(picked, axis, limit)
        size = [
            ops.minimum(ops.cast(ops.shape(x)[axis], "float32"), float(limit))
            for axis, limit in zip(axes, (self.height, self.width), strict=True)
        ]
        return (
            ops.where(ops.reshape(taken, (-1, 1, 1, 1)), picked, images),
            ops.where(ops.reshape(taken, (-1, 1)), ops.stack(size), sizes),
            ops.where(taken, ops.take(_ids_or_minus_one(y, rows), source, axis=0), labels),
        )

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns `(images, labels)` on the host; an unknown label is -1.

        Images of another size than the first are left out, so that the images form one array,
        `(images, ...)` float32, in the layout of the input.
        """
        if not self._in_step:
            shape = self._parts[0][0].shape[1:] if self._parts else None
            same = [part for part in self._parts if part[0].shape[1:] == shape]
            if not same:
                return np.zeros((0, 1, 1, self.spec.channels), "float32"), np.zeros(0, int)
            return np.concatenate([part[0] for part in same]), np.concatenate([p[1] for p in same])
        values = self.state.read()[0]
        filled = int(values["filled"])
        sizes = values["sizes"][:filled]
        same_size = np.all(sizes == sizes[:1], axis=1)
        images = values["images"][:filled][same_size].astype("float32")
        if len(images):
            height, width = sizes[0].astype(int)
            channels_first = self.spec.layout == "channels_first"
            images = images[..., :height, :width] if channels_first else images[:, :height, :width]
        return images, values["labels"][:filled][same_size].astype(int)


def _nothing() -> Any:
    """Returns a dummy value: both branches of `ops.cond` must return the same structure."""
    return ops.zeros(())


def _middle(x: Any, axis: int, limit: int) -> Any:
    """Cuts the middle `limit` positions out of `axis`; a shorter axis repeats its last position."""
    if x.shape[axis] == limit:
        return x
    length = ops.cast(ops.shape(x)[axis], "int32")
    start = ops.maximum(length - limit, 0) // 2
    return ops.take(x, ops.minimum(start + ops.arange(limit, dtype="int32"), length - 1), axis=axis)


def _ids_or_minus_one(y: Any, rows: Any) -> Any:
    """Returns the class ids of one batch, `(rows,)`, float32; -1 for a label that is no class."""
    width = width_of(y)
    if not width:
        return ops.broadcast_to(ops.convert_to_tensor(-1.0, dtype="float32"), (rows,))
    ids, valid = class_ids(y, width)
    return ops.where(valid > 0, ops.cast(ids, "float32"), -1.0)
