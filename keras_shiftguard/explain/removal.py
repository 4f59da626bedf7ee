"""`Views`: the evaluation samples with any set of exact causes removed.

An exact cause is one whose effect can be removed from the samples exactly.
Preprocessing and the order of channels or columns are corrected on the samples. To remove
resolution and crop, the raw files are read at the native size of the model, and preprocessed in the
same way as the samples.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_shiftguard.explain.image_folder import CROP, read_natively
from keras_shiftguard.explain.report import CHANNEL_ORDER, COLUMN_ORDER, PREPROCESSING, SIZE
from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.preprocessing.correction.layer import InputCorrection


@dataclass(frozen=True)
class RawFeed:
    """How image files become model input: their size, channel order, scale and offset.

    Args:
        size: Height and width at which the files are read.
        scale: Factor of each channel `(channels,)`, in the channel order of the input.
        offset: Summand of each channel `(channels,)`.
        flipped: Whether blue is the first channel.
        channels_first: Whether the input has the channels first.
        crop: Relative size of the central part that is read, see `native_image`.
    """

    size: tuple[int, int]
    scale: np.ndarray
    offset: np.ndarray
    flipped: bool
    channels_first: bool
    crop: float = CROP

    def read(self, samples: Samples, part: slice) -> np.ndarray:
        """Returns the samples at the positions `part`, read from their files and preprocessed."""
        assert samples.folder is not None
        files = samples.folder.files[part]
        return self.fed(read_natively(files, self.size, len(self.scale), self.crop))

    def fed(self, raw: np.ndarray) -> np.ndarray:
        """Returns raw images `(images, height, width, channels)`, preprocessed as model input."""
        x = raw[..., ::-1] if self.flipped else raw
        x = (x * self.scale + self.offset).astype("float32")
        return x.transpose(0, 3, 1, 2) if self.channels_first else x


@dataclass(frozen=True)
class Removable:
    """A cause that can be removed exactly.

    Args:
        cause: Name of the cause in the report.
        detail: Description for the report.
        repair: Line of Python to paste, or "".
    """

    cause: str
    detail: str
    repair: str = ""


@dataclass(frozen=True)
class Views:
    """The samples with any set of exact causes removed.

    Args:
        samples: The samples as the model is fed them.
        fixes: Corrections of preprocessing and channel order, by input name.
        orders: Positions `(columns,)` of the columns of a table in the order of the reference, by
            input name.
        raw: How to read the files at the native size if resolution is a cause, else None.
        causes: The causes that can be removed.
        notes: Notes for the report about causes that could not be checked.
    """

    samples: Samples
    fixes: Mapping[str, InputCorrection] = field(default_factory=dict)
    orders: Mapping[str, np.ndarray] = field(default_factory=dict)
    raw: RawFeed | None = None
    causes: tuple[Removable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def all_removed(self) -> frozenset[str]:
        """The names of all causes."""
        return frozenset(cause.cause for cause in self.causes)

    def chunks(self, removed: frozenset[str]) -> Iterator[dict[str, np.ndarray]]:
        """Yields the samples in chunks by input name, with the named causes removed."""
        for part, inputs in self.samples.chunks():
            if SIZE in removed and self.raw is not None:
                inputs = {name: self.raw.read(self.samples, part) for name in inputs}
            if COLUMN_ORDER in removed:
                inputs = in_order(inputs, self.orders)
            yield {
                name: apply_fix(
                    x, self.fixes[name], PREPROCESSING in removed, CHANNEL_ORDER in removed
                )
                if name in self.fixes
                else x
                for name, x in inputs.items()
            }

    def packed(self, removed: frozenset[str]) -> Iterator[Any]:
        """Returns the result of `chunks` in the structure that the model accepts."""
        return (self.samples.packed(x) for x in self.chunks(removed))


def in_order(
    inputs: Mapping[str, np.ndarray], orders: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns inputs by name with the columns of tables in the order of the reference.

    `orders` are those of `Views`.
    """
    return {name: x[..., orders[name]] if name in orders else x for name, x in inputs.items()}


def apply_fix(x: np.ndarray, fix: InputCorrection, values: bool, order: bool) -> np.ndarray:
    """Applies a correction, or only a part of it.

    Args:
        x: A batch of images.
        fix: The correction.
        values: Whether to apply the scale and offset of `fix`. Each color gets its own scale and
            offset, even if the order of the channels is not corrected.
        order: Whether to apply the channel order of `fix`.
    """
    if not (values or order):
        return x
    channels_first = fix.data_format == "channels_first"
    x = x.astype("float32")
    channels = x.shape[1] if channels_first else x.shape[-1]
    permutation = np.arange(channels) if fix.permutation is None else np.asarray(fix.permutation)
    if values:
        # Scale and offset of the fix are in the channel order after the permutation. The next line
        # needs them in the order before the permutation.
        scale, offset = (
            np.broadcast_to(np.asarray(v, "float64"), (channels,))[np.argsort(permutation)]
            for v in (fix.scale, fix.offset)
        )
        shape = (-1, *(1,) * (x.ndim - 2)) if channels_first else (-1,)
        x = (x * scale.reshape(shape) + offset.reshape(shape)).astype("float32")
    if order:
        x = np.take(x, permutation, axis=1 if channels_first else -1)
    return x


def changes_values(fix: InputCorrection) -> bool:
    """Whether a correction does more than reorder channels."""
    scale, offset = np.asarray(fix.scale), np.asarray(fix.offset)
    return not (np.allclose(scale, 1, atol=1e-6) and np.allclose(offset, 0, atol=1e-6))
