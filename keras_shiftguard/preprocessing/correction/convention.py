"""Input conventions, and the affine map from one to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.preprocessing.correction.layer import InputCorrection

CHANNEL_ORDERS = ("rgb", "bgr", "gray", "unknown")
# Largest difference to the numbers of a named mode: half a gray level of 0..255. A convention.
MAX_ROUNDING = 2e-3


@dataclass(frozen=True)
class InputConvention:
    """Input convention: the map from raw 8-bit pixels to the numbers that a model is fed.

    Every convention is affine: `x = raw * scale + offset` for each channel.

    Args:
        mode: One of Keras's names `"tf"` ([-1, 1]), `"torch"` ([0, 1], ImageNet mean and standard
            deviation) and `"caffe"` (0..255 minus the ImageNet mean), plus `"unit"` ([0, 1]),
            `"raw"` (0..255), `"custom"` (see `scale` and `offset`) and `"unknown"`.
        channel_order: `"rgb"`, `"bgr"`, `"gray"` or `"unknown"`.
        scale: Factor for each channel, in the order of the channels in the tensor, or one factor
            for all channels; not 0. Pass `scale` only for `"custom"`; named modes set it
            themselves.
        offset: Offset for each channel, or one offset for all channels. Pass `offset` only for
            `"custom"`.

    Example:

    >>> InputConvention("unit", "rgb").scale[0] == 1 / 255
    True
    >>> print(InputConvention("caffe", "bgr"))
    caffe (0..255 minus the ImageNet mean), BGR
    """

    mode: str
    channel_order: str = "rgb"
    scale: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.mode not in (*MODES, "custom", "unknown"):
            raise BadInputError(
                "`mode` must be one of 'raw', 'unit', 'tf', 'torch', 'caffe', "
                f"'custom' or 'unknown'. Received: mode={self.mode!r}"
            )
        if self.channel_order not in CHANNEL_ORDERS:
            raise BadInputError(
                f"`channel_order` must be one of {CHANNEL_ORDERS}. "
                f"Received: channel_order={self.channel_order!r}"
            )
        if self.mode == "custom" and (self.scale is None or self.offset is None):
            raise BadInputError(
                "A 'custom' convention needs `scale` and `offset`. "
                f"Received: scale={self.scale!r}, offset={self.offset!r}"
            )
        if self.mode == "unknown":
            return
        if self.mode == "custom":
            scale, offset = _checked_numbers(self.scale, self.offset)
        else:
            scale, offset = MODES[self.mode]
            if self.channel_order == "bgr":
                scale, offset = scale[::-1], offset[::-1]
            elif self.channel_order == "gray":
                # The only channel gets the mean of the numbers of the three colors.
                scale, offset = (float(np.mean(scale)),), (float(np.mean(offset)),)
            elif self.channel_order == "unknown" and np.ptp(scale) == np.ptp(offset) == 0:
                scale, offset = scale[:1], offset[:1]  # fits any number of channels
        object.__setattr__(self, "scale", tuple(map(float, scale)))
        object.__setattr__(self, "offset", tuple(map(float, offset)))

    @property
    def is_known(self) -> bool:
        """Whether scale and offset are known."""
        return self.mode != "unknown"

    def from_raw(self, raw: np.ndarray) -> np.ndarray:
        """Returns raw RGB images converted to this convention.

        Args:
            raw: Pixels in 0..255, channels last.

        Returns:
            An array of the same shape, float32.
        """
        x = np.asarray(raw, dtype="float64")
        if self.channel_order == "bgr":
            x = x[..., ::-1]
        return (x * np.asarray(self.scale) + np.asarray(self.offset)).astype("float32")

    def to_layer(self) -> InputCorrection:
        """Returns a Keras layer that maps raw RGB 0..255 to this convention."""
        order = self.channel_order if self.channel_order in ("gray", "unknown") else "rgb"
        raw = InputConvention("raw", order)
        return layer_between(raw, self)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as plain values, for JSON."""
        return {
            "mode": self.mode,
            "channel_order": self.channel_order,
            "scale": None if self.scale is None else list(self.scale),
            "offset": None if self.offset is None else list(self.offset),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Returns the convention that `to_dict` was called on."""
        numbers = (values["scale"], values["offset"])
        scale, offset = (None if n is None else tuple(map(float, n)) for n in numbers)
        return cls(values["mode"], values["channel_order"], scale, offset)

    def __str__(self) -> str:
        words = {
            "raw": "raw (0..255)",
            "unit": "unit ([0, 1])",
            "tf": "tf ([-1, 1])",
            "torch": "torch ([0, 1], ImageNet mean and deviation)",
            "caffe": "caffe (0..255 minus the ImageNet mean)",
            "unknown": "unknown",
        }
        if self.mode == "custom":
            scale, offset = self.scale or (), self.offset or ()
            text = f"custom (raw * {_numbers(scale)} + {_numbers(offset)})"
        else:
            text = words[self.mode]
        order = {"rgb": ", RGB", "bgr": ", BGR", "gray": ", gray"}
        return text + order.get(self.channel_order, "")


UNKNOWN, RAW = InputConvention("unknown", "unknown"), InputConvention("raw", "rgb")


def _checked_numbers(scale: Any, offset: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns scale and offset as tuples of equal length; raises `BadInputError` if invalid."""
    try:
        pair = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(v, "float64")) for v in (scale, offset))
        )
        valid = pair[0].ndim == 1 and np.isfinite(pair).all() and (pair[0] != 0).all()
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise BadInputError(
            "`scale` and `offset` must be one finite number each, or one for each channel, and "
            f"`scale` must not be 0. Received: scale={scale!r}, offset={offset!r}"
        )
    one, other = (tuple(numbers.tolist()) for numbers in pair)
    return one, other


def named(
    scale: Sequence[float], offset: Sequence[float], order: str, precision: float = 0.0
) -> InputConvention:
    """Returns the convention with these numbers: a named mode if they are close to those of one.

    The numbers have a relative rounding error of `precision`. The channel order becomes "unknown"
    for other than one or three numbers.
    """
    order = order if len(scale) in (1, 3) else "unknown"
    for mode in MODES:
        known = InputConvention(mode, order)
        of_mode, shift = np.asarray(known.scale), np.asarray(known.offset)
        if 1 not in (len(scale), len(of_mode)) and len(scale) != len(of_mode):
            continue
        allowed = max(MAX_ROUNDING, 2 * precision) * np.abs(of_mode)
        allowed_shift = MAX_ROUNDING * 255 * np.abs(of_mode) + 2 * precision * np.abs(shift)
        is_scale = np.abs(np.asarray(scale) - of_mode) <= allowed
        if is_scale.all() and (np.abs(np.asarray(offset) - shift) <= allowed_shift).all():
            return known
    return InputConvention("custom", order, tuple(scale), tuple(offset))


def layer_between(
    observed: InputConvention,
    expected: InputConvention,
    data_format: str | None = None,
    channels: int | None = None,
) -> InputCorrection:
    """Returns the layer that maps images from one convention to another; see `affine_between`.

    If the conventions have one scale and offset for all channels, the number of channels is needed.
    """
    permutation, scale, offset = affine_between(observed, expected)
    channels = channels or len(scale)
    if len(scale) == 1:
        scale, offset = scale * channels, offset * channels
    return InputCorrection(scale, offset, permutation, data_format)


def affine_between(
    observed: InputConvention, expected: InputConvention
) -> tuple[tuple[int, ...] | None, tuple[float, ...], tuple[float, ...]]:
    """Returns the `(permutation, scale, offset)` that turn one convention into another.

    The permutation is None unless one convention is RGB and the other is BGR. An unknown convention
    raises `BadInputError`.
    """
    for role, convention in (("observed", observed), ("expected", expected)):
        if not convention.is_known:
            raise BadInputError(f"The {role} convention is unknown: there is nothing to correct.")
    fed_scale, fed_offset = np.asarray(observed.scale), np.asarray(observed.offset)
    scale, offset = np.asarray(expected.scale), np.asarray(expected.offset)
    swap = {observed.channel_order, expected.channel_order} == {"rgb", "bgr"}
    if swap:
        fed_scale, fed_offset = fed_scale[::-1], fed_offset[::-1]
    gain = scale / fed_scale
    bias = offset - gain * fed_offset
    gain, bias = np.broadcast_arrays(gain, bias)
    permutation = tuple(range(len(gain)))[::-1] if swap else None
    return permutation, tuple(gain.tolist()), tuple(bias.tolist())


def _numbers(values: tuple[float, ...]) -> str:
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    return "[" + ", ".join(f"{v:.4g}" for v in values) + "]"
