"""Front of a model: the computation between its input and its backbone, fitted as an affine map.

The backbone is the recognized network, from its first convolution on. The front is measured rather
than read from the configuration of the layers: the model is run on constant images of known values,
and the input of the backbone is recorded. Then `y[c] = x[permutation[c]] * scale[c] + offset[c]` is
fitted, and the fit is checked on values that were not used for it. So a `Rescaling`, a `Lambda`, an
operator and a custom layer are all handled in the same way. The images are constant in space, so
that resizing and cropping change nothing. The backbone itself is never run.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import ops

# Ranges of input values. A front that clips may be affine in only some of them. Given by the modes
# of `preprocess_input`.
RANGES = {"0..255": (0.0, 255.0), "[0, 1]": (0.0, 1.0), "[-1, 1]": (-1.0, 1.0)}
# Channel values of two more constant images, from 0 (low end of a range) to 1 (high end). These
# images only serve to check the fit. A convention.
HELD_OUT = ((0.2, 0.7, 0.45, 0.6), (0.9, 0.1, 0.6, 0.3))


class FrontError(Exception):
    """Raised if the front is not a scale and an offset for each channel; the message says why."""


@dataclass(frozen=True)
class Front:
    """The front of a model as `y[c] = x[permutation[c]] * scale[c] + offset[c]`.

    Args:
        permutation: Index of the input channel for each output channel.
        scale: Factor of each output channel.
        offset: Offset of each output channel.
        channels: Number of input channels.
        only_in: Name of the range of input values that the front was fitted in; None if it
            holds in all ranges.
        precision: Relative rounding error of the fit, see `_precision`.
    """

    permutation: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    channels: int
    only_in: str | None
    precision: float

    @property
    def is_identity(self) -> bool:
        """Whether the front leaves the values as they are; it may repeat a single channel."""
        return (
            (self.channels == 1 or self.permutation == tuple(range(self.channels)))
            and np.allclose(self.scale, 1.0, rtol=1e-3)
            and np.allclose(self.offset, 0.0, atol=1e-3)
        )

    def __str__(self) -> str:
        order = (
            ""
            if self.channels == 1 or self.permutation == tuple(range(self.channels))
            else (", channels taken in the order " + str(list(self.permutation)))
        )
        return f"x * {_numbers(self.scale)} + {_numbers(self.offset)}{order}"


def probes(channels: int, integers: bool = False) -> dict[str, np.ndarray]:
    """Returns the values of the constant images that the model is run on, by range.

    Args:
        channels: Number of input channels.
        integers: Whether the model accepts integers; only the range 0..255 is then used.

    Returns:
        For each range `(channels + 3, channels)` float64: a row with the smallest value in all
        channels; for each channel, the same row with the largest value in that channel; and the
        `HELD_OUT` values.
    """
    found = {}
    for name, (low, high) in RANGES.items():
        if integers and name != "0..255":
            continue
        unit = np.concatenate(
            [
                np.zeros((1, channels)),
                np.eye(channels),
                [[row[c % len(row)] for c in range(channels)] for row in HELD_OUT],
            ]
        )
        pixels = low + (high - low) * unit
        found[name] = np.round(pixels) if integers else pixels
    return found


def fit(values_in: dict[str, np.ndarray], values_out: dict[str, np.ndarray]) -> list[Front]:
    """Returns the fronts that explain the recorded input of a backbone.

    Args:
        values_in: What `probes` returned.
        values_out: The recorded input of the backbone by range, `(probes, output channels)`.

    Returns:
        One front if the same one holds in every range; else one for each range
        in which the front is affine.

    Raises:
        FrontError: If the front is affine in no range, or mixes channels.
    """
    found: dict[str, Front] = {}
    reasons = []
    for name, x in values_in.items():
        try:
            found[name] = _fit_range(name, x, values_out)
        except FrontError as error:
            reasons.append(str(error))
    if not found:
        raise FrontError(reasons[0])
    for front in found.values():
        if all(_explains(front, values_in[n], values_out[n]) for n in values_in):
            return [replace(front, only_in=None)]
    return list(found.values())


def _fit_range(name: str, x: np.ndarray, values_out: dict[str, np.ndarray]) -> Front:
    """Returns the front that holds in one range.

    Args:
        name: Name of the range.
        x: The probes of that range, `(probes, input channels)`.
        values_out: See `fit`.
    """
    y = values_out[name].astype("float64")
    precision = _precision(values_out[name].dtype)
    if not np.isfinite(y).all():
        raise FrontError("it turns constant images into values that are not finite")
    channels = x.shape[1]
    low, high = RANGES[name]
    slope = (y[1 : channels + 1] - y[0]).T / (high - low)  # (out, in)
    base = y[0] - slope.sum(axis=1) * low
    strongest = np.abs(slope).argmax(axis=1)
    peak = np.abs(slope).max(axis=1)
    noise = precision * max(abs(high), 20 * np.abs(y).max())
    if (peak * (high - low) <= noise).any():
        raise FrontError("the value of a constant image does not come through it")
    # The prediction may be off by 20 rounding errors of its summands.
    predicted = x @ slope.T + base
    size_of_summands = np.abs(x) @ np.abs(slope).T + np.abs(base) + np.abs(y)
    if (np.abs(predicted - y) > 20 * precision * size_of_summands + 1e-6).any():
        raise FrontError("it is not a scale and an offset for each channel")
    from_others = np.abs(slope).sum(axis=1) - peak
    if (from_others > 1e-3 * peak + 20 * precision * peak).any():
        raise FrontError("it mixes the colour channels")
    rows = np.arange(len(strongest))
    return Front(
        permutation=tuple(int(i) for i in strongest),
        scale=tuple(slope[rows, strongest].tolist()),
        offset=tuple(base.tolist()),
        channels=channels,
        only_in=name,
        precision=precision,
    )


def _explains(front: Front, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the front turns `x` into `y`, up to rounding."""
    taken = x[:, list(front.permutation)] * np.asarray(front.scale)
    predicted = taken + np.asarray(front.offset)
    size_of_summands = np.abs(taken) + np.abs(front.offset) + np.abs(y)
    return bool((np.abs(predicted - y) <= 20 * front.precision * size_of_summands + 1e-6).all())


def _precision(dtype: Any) -> float:
    """Returns the relative rounding error of a 16-bit dtype; else 8 times that of float32."""
    # NumPy's finfo does not know bfloat16, which comes as a named extension type.
    return {"float16": 2**-10, "bfloat16": 2**-7}.get(str(dtype), 2**-23 * 8)


def run_layers(layers: list[Any], channels_first: bool = False) -> list[Front]:
    """Returns the fronts of a chain of layers that takes three channels; see `fit`."""
    x = probes(3)
    y = {}
    for name, pixels in x.items():
        shape = (len(pixels), 3, 1, 1) if channels_first else (len(pixels), 1, 1, 3)
        images = ops.convert_to_tensor(pixels.reshape(shape).astype("float32"))
        for layer in layers:
            images = layer(images)
        y[name] = np.asarray(ops.convert_to_numpy(images)).reshape(len(pixels), -1)
    return fit(x, y)


def _numbers(values: tuple[float, ...]) -> str:
    if np.allclose(values, values[0], rtol=1e-5, atol=1e-9):
        return f"{values[0]:.4g}"
    return "[" + ", ".join(f"{v:.4g}" for v in values) + "]"
