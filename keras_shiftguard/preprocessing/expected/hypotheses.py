"""Hypotheses: conventions that a model may expect, and the map from the images to each."""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.profiles import InputSummary


@dataclass(frozen=True)
class Hypothesis:
    """A convention that the model may expect.

    Args:
        mode: Mode of the convention; `"custom"` if scale and offset follow from the structure of
            the model, or from the mean and deviation of the data. `"as fed"` is the convention of
            the images as fed, if no other hypothesis leaves the images unchanged.
        swap: Whether the channels of the images as fed must be reversed.
        means: The order of the per-channel means at the model's input: `"rgb"` or
            `"bgr"`; None if all channels have the same mean.
        inverted: Whether dark and bright are exchanged in the images as fed.
        scale: Scale from raw pixels to the convention, `(channels,)`.
        offset: Offset from raw pixels to the convention, `(channels,)`.
        transform: The map from the images as fed to the convention.
    """

    mode: str
    swap: bool
    means: str | None
    inverted: bool
    scale: np.ndarray
    offset: np.ndarray
    transform: Transform

    @property
    def kind(self) -> tuple[str, bool]:
        """The mode, and whether it is inverted."""
        return self.mode, self.inverted

    @property
    def is_identity(self) -> bool:
        """Whether the transform leaves the images as they are fed.

        The deviation of a data set is estimated from some images, to a few percent.
        """
        scale, offset = (np.asarray(v) for v in self.transform[1:])
        return (
            self.transform.permutation is None
            and bool(np.allclose(scale, 1, rtol=0.03))
            and bool(np.all(np.abs(offset) < 0.01 * 255 * np.abs(self.scale)))
        )


def hypotheses_for(
    observed: InputConvention, summary: InputSummary, known: InputConvention | None
) -> list[Hypothesis]:
    """Returns all hypotheses to try on an input; one of them leaves the images as fed.

    Args:
        observed: The convention of the images as fed.
        summary: The profile of the input.
        known: What the model expects according to its structure; None if unknown.
    """
    channels = summary.num_channels
    fed_scale = np.broadcast_to(np.asarray(observed.scale, "float64"), channels)
    fed_offset = np.broadcast_to(np.asarray(observed.offset, "float64"), channels)
    found: list[Hypothesis] = []

    def add(mode: str, means: str | None, scale: np.ndarray, offset: np.ndarray) -> None:
        """Adds the hypotheses of one convention.

        Images with three channels are tried as fed and with swapped channels. Images with one
        channel are tried as fed and inverted.
        """
        for swap in (False, True) if channels == 3 else (False,):
            for inverted in (False, True) if channels == 1 else (False,):
                step = -1 if swap else 1
                from_scale, from_offset = fed_scale[::step], fed_offset[::step]
                gain = scale / from_scale
                bias = offset - gain * from_offset
                if inverted:  # raw becomes 255 - raw
                    gain, bias = -gain, offset + scale * 255 + gain * from_offset
                order = tuple(range(channels))[::-1] if swap else None
                transform = Transform(order, tuple(gain.tolist()), tuple(bias.tolist()))
                found.append(Hypothesis(mode, swap, means, inverted, scale, offset, transform))

    for mode, form in MODES.items():
        scale, offset = np.asarray(form.scale), np.asarray(form.offset)
        if mode in ("raw", "unit", "tf"):
            add(mode, None, np.full(channels, scale[0]), np.full(channels, offset[0]))
        elif channels == 3:
            add(mode, "rgb", scale, offset)
            add(mode, "bgr", scale[::-1], offset[::-1])
    if known is not None and known.mode == "custom":
        scale = np.broadcast_to(np.asarray(known.scale), channels)
        offset = np.broadcast_to(np.asarray(known.offset), channels)
        add("custom", known.channel_order if np.ptp(offset) else None, scale, offset)
    elif channels != 3:
        # The model may expect images standardized with the mean and deviation of the data set, as
        # is usual for MNIST. With three channels, this convention is almost the same as "torch".
        raw_mean = (summary.mean - fed_offset) / fed_scale
        raw_std = summary.std / np.abs(fed_scale)
        # A constant channel, such as an unused alpha, has no deviation of its own.
        raw_std = np.where(raw_std > 1e-6, raw_std, max(raw_std.max(), 1e-6))
        add("custom", None, 1 / raw_std, -raw_mean / raw_std)
    if not any(h.is_identity for h in found):
        means = observed.channel_order if np.ptp(fed_offset) else None
        identity = Transform(None, (1.0,) * channels, (0.0,) * channels)
        found.append(Hypothesis("as fed", False, means, False, fed_scale, fed_offset, identity))
    return found
