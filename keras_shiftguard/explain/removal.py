"""Causes that can be taken away exactly: the samples with any of them undone.

Preprocessing and channel order are undone on what was fed. Resolution, crop and
filter are undone by reading the raw files again and feeding them in the very
convention in which the others were fed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_shiftguard.explain.image_folder import CROP, read_natively
from keras_shiftguard.explain.report import CHANNEL_ORDER, PREPROCESSING, SIZE
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.preprocessing.correction.layer import InputCorrection


@dataclass(frozen=True)
class RawFeed:
    """How raw pixels become what is fed: one scale and offset for each channel.

    Args:
        size: Height and width to read the files in.
        scale: `(channels,)`, in the order of the tensor.
        offset: `(channels,)`.
        flipped: Whether blue comes first.
        channels_first: Whether the channels come first.
        crop: The middle part of the shorter side that is read.
    """

    size: tuple[int, int]
    scale: np.ndarray
    offset: np.ndarray
    flipped: bool
    channels_first: bool
    crop: float = CROP

    def read(self, samples: Samples, part: slice) -> np.ndarray:
        """Some of the files, natively read, as they would have been fed."""
        assert samples.folder is not None
        files = samples.folder.files[part]
        return self.fed(read_natively(files, self.size, len(self.scale), self.crop))

    def fed(self, raw: np.ndarray) -> np.ndarray:
        """Raw images, channels last, as fed."""
        x = raw[..., ::-1] if self.flipped else raw
        x = (x * self.scale + self.offset).astype("float32")
        return x.transpose(0, 3, 1, 2) if self.channels_first else x


@dataclass(frozen=True)
class Removable:
    """A cause that can be taken away.

    Args:
        cause: Its name in the report.
        detail: What was found.
        repair: A line to paste.
    """

    cause: str
    detail: str
    repair: str = ""


@dataclass(frozen=True)
class Views:
    """The samples with some causes taken away.

    Args:
        samples: As they were fed.
        fixes: What undoes preprocessing and channel order, by input name.
        raw: How the files are read natively, where that is a cause.
        causes: What can be taken away.
        notes: What could not be judged.
    """

    samples: Samples
    fixes: Mapping[str, InputCorrection] = field(default_factory=dict)
    raw: RawFeed | None = None
    causes: tuple[Removable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def all_removed(self) -> frozenset[str]:
        return frozenset(cause.cause for cause in self.causes)

    def chunks(self, removed: frozenset[str]) -> Iterator[dict[str, np.ndarray]]:
        """Some samples at a time by input name, without the causes named."""
        for part, inputs in self.samples.chunks():
            if SIZE in removed and self.raw is not None:
                inputs = {name: self.raw.read(self.samples, part) for name in inputs}
            yield {
                name: undone(
                    x, self.fixes[name], PREPROCESSING in removed, CHANNEL_ORDER in removed
                )
                if name in self.fixes
                else x
                for name, x in inputs.items()
            }

    def packed(self, removed: frozenset[str]) -> Iterator[Any]:
        """The same in the structure that the model takes."""
        return (self.samples.packed(x) for x in self.chunks(removed))


def undone(x: np.ndarray, fix: InputCorrection, values: bool, order: bool) -> np.ndarray:
    """A part of a correction: its scale and offset, its order of channels, or both.

    A colour keeps its own scale and offset, wherever it stands.
    """
    if not (values or order):
        return x
    first = fix.data_format == "channels_first"
    x = x.astype("float32")
    channels = x.shape[1] if first else x.shape[-1]
    order_back = np.arange(channels) if fix.permutation is None else np.asarray(fix.permutation)
    if values:
        scale, offset = (
            np.broadcast_to(np.asarray(v, "float64"), (channels,))[np.argsort(order_back)]
            for v in (fix.scale, fix.offset)
        )
        shape = (-1, *(1,) * (x.ndim - 2)) if first else (-1,)
        x = (x * scale.reshape(shape) + offset.reshape(shape)).astype("float32")
    if order:
        x = np.take(x, order_back, axis=1 if first else -1)
    return x


def changes_values(fix: InputCorrection) -> bool:
    """Whether a correction does more than reorder channels."""
    scale, offset = np.asarray(fix.scale), np.asarray(fix.offset)
    return not (np.allclose(scale, 1, atol=1e-6) and np.allclose(offset, 0, atol=1e-6))
