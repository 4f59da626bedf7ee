"""`KeptSamples`: a bounded sample of the images or rows of a stream, with their labels."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import keras
import numpy as np

from keras_shiftguard.io.batches import why_not_dense
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import host_class_ids, width_of
from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.sketches.vectors import middle_frame
from keras_shiftguard.statistics.spread import spread_groups, taken
from keras_shiftguard.statistics.state import on_host

# Images of the first batches, for the diagnosis of the preprocessing. A convention.
FIRST_SAMPLES = 32
MAX_SAMPLES = 1024  # largest number of images in a buffer. A convention.
# A buffer of rows holds more if it is at most so large, up to so many: a rare class, of which a
# table has few rows, needs them. Conventions.
MAX_BYTES_OF_ROWS, MAX_ROWS = 2**20, 4096
MAX_BYTES = 64 * 2**20  # largest size of a buffer, unless large images need more. A convention.
# Experiments need about this many images. So a buffer of large images may have this size instead:
# enough for 128 color images of 418 x 418. Conventions.
ENOUGH, MAX_BYTES_OF_LARGE = 128, 256 * 2**20
# In a pass of unknown length, at least this many images of a batch are kept. Two neighboring images
# show whether the samples of a stream depend on each other. A convention.
MIN_PER_BATCH = 2
# Images without a fixed size are cropped to their middle, at most this many pixels a side. The crop
# is enough for early batch-norm layers and for the spectrum, which are local. A convention.
CROP = 256


@dataclass(frozen=True)
class _Part:
    """The kept samples of one batch.

    Args:
        images: The images or rows, `(samples, ...)`.
        ids: Their class ids, `(samples,)`; -1 if unknown.
        positions: Their positions in the stream since the buffer was last emptied.
        targets: Their labels as they were fed; None if there are none, or if they are one-hot.
    """

    images: np.ndarray
    ids: np.ndarray
    positions: np.ndarray
    targets: Rows | None

    @cached_property
    def hashes(self) -> list[int]:
        """A hash of each image, of all its values."""
        return [hash(image.tobytes()) for image in self.images]

    def at(self, which: np.ndarray) -> "_Part":
        """Returns the samples at these positions of the part."""
        targets = None if self.targets is None else self.targets[which]
        return _Part(self.images[which], self.ids[which], self.positions[which], targets)


class KeptSamples:
    """Buffer of samples: those of the first batches, then a few of each measured batch.

    The samples are images, or rows: samples of a table, token ids or sequences. Rows are kept
    whole, and ids keep their dtype. Apart from that, rows are treated like images.

    The preprocessing diagnosis needs images early, and it needs whole images, because batch norm
    depends on spatial structure. Later checks need images of the whole pass. If the length of the
    pass is unknown, the buffer is thinned each time it is full: fewer images of each batch are
    kept, then fewer batches. The images are copied to the host, as they were fed. Videos and
    volumes are stored whole if enough of them fit, else only the middle frame of each.

    Args:
        spec: Specification of the input.
        max_samples: The largest number of images in the buffer; if the images are large, the buffer
            holds fewer.
        keeps_targets: Whether labels are kept as they were fed. Of several inputs, one is enough.
    """

    def __init__(
        self, spec: InputSpec, max_samples: int = MAX_SAMPLES, keeps_targets: bool = True
    ) -> None:
        self.spec, self._keeps_targets = spec, keeps_targets
        self.height, self.width = (CROP if side is None else side for side in spec.size)
        self._max_samples = max_samples
        self._numbers = self.height * self.width * spec.channels  # of a sample
        self.capacity = self._capacity(self._numbers)
        self.measured: int | None = None  # batches that the images are spread over; None: unknown
        self._batches = 0  # number of these batches so far
        # In a pass of unknown length, this many images are kept of every `_every`-th batch.
        self._per_batch, self._every = self.capacity, 1
        self._parts: list[_Part] = []
        self._seen = 0  # number of samples since the buffer was last emptied
        self.is_whole = True  # False once an image is only a part of a sample: a frame or a crop
        self._is_held = False  # True while no more images are added

    def spread(self, measured: int | None) -> None:
        """Spreads the images over a pass.

        None stands for an unknown number of measured batches.
        """
        self.measured = measured or None

    def _capacity(self, numbers: int) -> int:
        """Returns how many samples of `numbers` values each the buffer holds."""
        size = max(4 * numbers, 1)
        enough = min(MAX_BYTES_OF_LARGE // size, ENOUGH)
        most = self._max_samples
        if self.spec.layout == "features" and most == MAX_SAMPLES:
            most = max(most, min(MAX_BYTES_OF_ROWS // size, MAX_ROWS))
        return int(np.clip(max(MAX_BYTES // size, enough), 4, most))

    def update(self, x: Any, y: Any = None) -> None:
        """Copies the images of one batch that are due, and their labels, to the host."""
        if self._is_held:
            return
        is_row = self.spec.layout == "features"
        if is_row or self._fit_whole(x):  # the length of a sequence is known only now
            self._numbers = prod(int(side) for side in x.shape[1:] if side)
        of_labels = _numbers_of(y) if self._keeps_targets else 0
        self.capacity = self._capacity(self._numbers + of_labels)
        first, self._seen = self._seen, self._seen + x.shape[0]
        self._batches += 1
        room = self._room_of_unknown(x.shape[0]) if self.measured is None else self._room()
        if room <= 0 or not x.shape[0]:
            return
        # Neighbors show whether the samples depend on each other, as the frames of a clip do.
        chosen = spread_groups(x.shape[0], room)
        x = taken(x, chosen)
        images = self._as_rows(x) if is_row else self._as_images(x)
        ids = host_class_ids(on_host(taken(y, chosen))) if width_of(y) else None
        is_one_hot = ids is not None and width_of(y) > 1
        targets = None
        if self._keeps_targets and not is_one_hot:
            most = max(MAX_BYTES // self.capacity, 4 * (self._numbers + of_labels))
            targets = _targets(y, chosen, most)
        ids = np.full(len(images), -1) if ids is None else np.maximum(ids, -1)
        self._parts.append(_Part(images, ids, first + chosen, targets))

    @property
    def _filled(self) -> int:
        return sum(len(part.images) for part in self._parts)

    def _room(self) -> int:
        """Returns how many images of this batch are due, in a pass of known length."""
        # `due` is the number of images that are due from all batches so far, rounded up. If each
        # batch were rounded up by itself, the buffer could be full before the last batches, and the
        # last classes of a sorted pass would be missing.
        share = min(self._batches / (self.measured or 1), 1.0)
        due = FIRST_SAMPLES + int(np.ceil((self.capacity - FIRST_SAMPLES) * share))
        return min(self.capacity, max(due, FIRST_SAMPLES)) - self._filled

    def _room_of_unknown(self, size: int) -> int:
        """Returns how many of a batch of `size` images are due, after thinning a full buffer."""
        if not self._parts:
            self._per_batch = min(self.capacity, max(size, MIN_PER_BATCH))
        while (self._batches - 1) % self._every == 0:
            room = min(size, self._per_batch)
            if self._filled + room <= self.capacity:
                return room
            if self._per_batch > MIN_PER_BATCH:
                self._per_batch = self._per_batch * 3 // 4
                self._parts = [
                    part.at(spread_groups(len(part.images), self._per_batch))
                    for part in self._parts
                ]
            elif len(self._parts) > 1:
                self._every *= 2
                self._parts = self._parts[::2]
            else:
                break
        return 0

    def pass_over(self, num_samples: int) -> None:
        """Counts the samples of a batch that is not measured, so that positions stay correct."""
        self._seen += num_samples

    def _as_rows(self, x: Any) -> np.ndarray:
        """Returns rows on the host: whole numbers in their dtype, others as float32."""
        rows = on_host(x)
        return rows if rows.dtype.kind in "iu" else rows.astype("float32")

    def _fit_whole(self, x: Any) -> bool:
        """Whether videos or volumes are small enough for a buffer to hold enough of them whole."""
        size = 4 * prod(int(side) for side in x.shape[1:])
        fit = MAX_BYTES // max(size, 1) >= ENOUGH and None not in self.spec.size
        return len(x.shape) > 4 and fit

    def _as_images(self, x: Any) -> np.ndarray:
        """Returns images on the host, as float32, cropped to their middle.

        Of a video or a volume that is too large, this is the middle frame.
        """
        if self._fit_whole(x):
            return on_host(x).astype("float32")
        self.is_whole &= len(x.shape) == 4
        images = on_host(middle_frame(x, self.spec)).astype("float32")
        axes = (2, 3) if self.spec.layout == "channels_first" else (1, 2)
        for axis, limit in zip(axes, (self.height, self.width), strict=True):
            start = max(images.shape[axis] - limit, 0) // 2
            self.is_whole &= images.shape[axis] <= limit
            images = np.take(images, range(start, min(start + limit, images.shape[axis])), axis)
        return images

    def hold(self) -> None:
        """Adds no more images until `reset`, because all further images were seen already."""
        self._is_held = True

    def reset(self) -> None:
        """Empties the buffer, so that it fills again."""
        self._is_held = False
        self._parts.clear()
        self._seen = self._batches = 0
        self._per_batch, self._every = self.capacity, 1

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns `(images, labels)` on the host; an unknown label is -1.

        Images of another size than the first are left out, so that the images form one array,
        `(images, ...)`, in the layout of the input: float32, or the dtype of ids. Of a video or a
        volume, this is the middle frame.
        """
        images, ids = self.read_whole()
        axis = 2 if self.spec.layout == "channels_first" else 1
        while self.spec.layout != "features" and images.ndim > 4:
            images = images.take(images.shape[axis] // 2, axis)
        return images, ids

    def read_whole(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the same as `read`, but whole videos and volumes, `(samples, frames, ...)`."""
        same = self._of_first_size()
        if not same:
            return np.zeros((0, 1, 1, self.spec.channels), "float32"), np.zeros(0, int)
        return np.concatenate([p.images for p in same]), np.concatenate([p.ids for p in same])

    def hashes(self) -> list[int]:
        """Returns a hash of each image that `read_whole` returns, the same for equal images.

        Each is computed once, because samples that are held are asked for in every epoch.
        """
        return [each for part in self._of_first_size() for each in part.hashes]

    def targets(self) -> Rows | None:
        """Returns the labels of the images that `read` returns, as they were fed.

        None if there are none, if they are one-hot, or if their shapes differ.
        """
        found = [part.targets for part in self._of_first_size()]
        if not found or any(targets is None for targets in found):
            return None
        return Rows.joined([targets for targets in found if targets is not None])

    @property
    def positions(self) -> np.ndarray:
        """Positions of the images that `read` returns, in the stream."""
        return np.concatenate([np.zeros(0, int), *(p.positions for p in self._of_first_size())])

    def _of_first_size(self) -> list[_Part]:
        size = self._parts[0].images.shape[1:] if self._parts else ()
        return [part for part in self._parts if part.images.shape[1:] == size]


def _numbers_of(y: Any) -> int:
    """Returns the number of values of a label that is not a class: of a mask, of several outputs.

    Rows of a table may be one-hot, and are then not kept.
    """
    leaves = [leaf for leaf in keras.tree.flatten(y) if hasattr(leaf, "shape")]
    shapes = [tuple(leaf.shape)[1:] for leaf in leaves if not width_of(leaf)]
    return sum(prod(int(side) for side in shape if side) for shape in shapes)


def _targets(y: Any, chosen: np.ndarray, max_bytes: int) -> Rows | None:
    """Returns the labels of these samples of a batch on the host; None if they are not numbers.

    `max_bytes` is the largest size of the labels of a sample.
    """
    leaves = keras.tree.flatten(y)
    if not leaves or not all(_is_dense(leaf) for leaf in leaves):
        return None
    if len({leaf.shape[0] for leaf in leaves}) != 1:
        return None
    rows = [on_host(taken(leaf, chosen)) for leaf in leaves]
    if any(row.dtype.kind not in "biuf" or len(row) != len(chosen) for row in rows):
        return None
    found = Rows(keras.tree.pack_sequence_as(y, rows))
    return found if found.num_bytes <= max_bytes else None


def _is_dense(x: Any) -> bool:
    """Whether labels are a dense array or tensor with a known number of samples."""
    return bool(getattr(x, "shape", ())) and not why_not_dense(x)
