"""What stands between a model's input tensor and its backbone, found by evaluation.

Layers are not read, they are run: constant images of known values go in, what
reaches the backbone is recorded, and `y[c] = x[permutation[c]] * scale[c] +
offset[c]` is fitted and checked on values that were not used for the fit. So it
does not matter whether a `Rescaling`, a `Lambda`, an operator or a layer of the
user's own does the work. The images are constant in space, so that resizing and
cropping change nothing, and the backbone itself is never run.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.convention import InputConvention

# Ranges of input values. A front that clips is affine in one of them only.
RANGES = {"0..255": (0.0, 255.0), "[0, 1]": (0.0, 1.0), "[-1, 1]": (-1.0, 1.0)}
# Positions within a range, used to check what was fitted elsewhere.
HELD_OUT = ((0.2, 0.7, 0.45, 0.6), (0.9, 0.1, 0.6, 0.3))


class FrontError(Exception):
    """Why a front cannot be expressed; the message is for a person."""


@dataclass(frozen=True)
class Front:
    """A piece of a model as `y[c] = x[permutation[c]] * scale[c] + offset[c]`.

    Args:
        permutation: For each channel that comes out, the one it is taken from.
        scale: Its factor.
        offset: Its offset.
        channels: Number of channels that go in.
        valid: Names of the `RANGES` of input values in which this holds.
        precision: Relative rounding error of the dtype it was computed in.
    """

    permutation: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    channels: int
    valid: tuple[str, ...]
    precision: float

    @property
    def is_identity(self) -> bool:
        """Whether nothing happens to the values."""
        return (
            self.permutation == tuple(range(self.channels))
            and np.allclose(self.scale, 1.0, rtol=1e-3)
            and np.allclose(self.offset, 0.0, atol=1e-3)
        )

    def __str__(self) -> str:
        order = "" if self.permutation == tuple(range(self.channels)) else (
            ", channels taken in the order " + str(list(self.permutation))
        )
        return f"x * {_numbers(self.scale)} + {_numbers(self.offset)}{order}"


def probes(channels: int, integers: bool = False) -> dict[str, np.ndarray]:
    """For each range, pixels `(channels + 3, channels)`: a corner, its neighbours, two others."""
    made = {}
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
        made[name] = np.round(pixels) if integers else pixels
    return made


def fit(values_in: dict[str, np.ndarray], values_out: dict[str, np.ndarray]) -> list[Front]:
    """The fronts that explain what came out: one where it is affine throughout.

    Args:
        values_in: What `probes` returned.
        values_out: For each range what came out, `(probes, channels out)`.

    Returns:
        One front if one holds in every range; else one for each range in which
        the piece is affine by itself.

    Raises:
        FrontError: If it is affine in none, or mixes channels.
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
        agrees = [n for n in values_in if _explains(front, values_in[n], values_out[n])]
        if len(agrees) == len(values_in):
            return [_with_valid(front, tuple(agrees))]
    return [_with_valid(front, (name,)) for name, front in found.items()]


def _fit_range(name: str, x: np.ndarray, values_out: dict[str, np.ndarray]) -> Front:
    y = values_out[name].astype("float64")
    precision = _precision(values_out[name].dtype)
    if not np.isfinite(y).all():
        raise FrontError("it turns constant images into values that are not finite")
    channels = x.shape[1]
    low, high = RANGES[name]
    slope = (y[1 : channels + 1] - y[0]).T / (high - low)  # (out, in)
    base = y[0] - slope.sum(axis=1) * low
    predicted = x @ slope.T + base
    bound = np.abs(x) @ np.abs(slope).T + np.abs(base) + np.abs(y)
    if (np.abs(predicted - y) > 20 * precision * bound + 1e-6).any():
        raise FrontError("it is not a scale and an offset for each channel")
    strongest = np.abs(slope).argmax(axis=1)
    peak = np.abs(slope).max(axis=1)
    if (peak * (high - low) <= 20 * precision * (np.abs(y).max() + 1e-3)).any():
        raise FrontError("the value of a constant image does not come through it")
    rest = np.abs(slope).sum(axis=1) - peak
    if (rest > 1e-3 * peak + 20 * precision * peak).any():
        raise FrontError("it mixes the colour channels")
    rows = np.arange(len(strongest))
    return Front(
        permutation=tuple(int(i) for i in strongest),
        scale=tuple(slope[rows, strongest].tolist()),
        offset=tuple(base.tolist()),
        channels=channels,
        valid=(name,),
        precision=precision,
    )


def _explains(front: Front, x: np.ndarray, y: np.ndarray) -> bool:
    taken = x[:, list(front.permutation)] * np.asarray(front.scale)
    predicted = taken + np.asarray(front.offset)
    bound = np.abs(taken) + np.abs(front.offset) + np.abs(y)
    return bool((np.abs(predicted - y) <= 20 * front.precision * bound + 1e-6).all())


def _with_valid(front: Front, valid: tuple[str, ...]) -> Front:
    return Front(
        front.permutation, front.scale, front.offset, front.channels, valid, front.precision
    )


def _precision(dtype: Any) -> float:
    # NumPy's finfo does not know bfloat16, which comes as a named extension type.
    return {"float16": 2**-10, "bfloat16": 2**-7}.get(str(dtype), 2**-23 * 8)


def run_layers(layers: list[Any], channels: int = 3) -> list[Front]:
    """Fit a chain of layers by calling them one after the other."""
    x = probes(channels)
    y = {}
    for name, pixels in x.items():
        images = ops.convert_to_tensor(pixels[:, None, None, :].astype("float32"))
        for layer in layers:
            images = layer(images)
        y[name] = np.asarray(ops.convert_to_numpy(images)).reshape(len(pixels), -1)
    return fit(x, y)


def invert(
    fronts: list[Front], scale: tuple[float, ...], offset: tuple[float, ...], order: str
) -> InputConvention:
    """What must go into a front so that the wanted convention comes out of it.

    Args:
        fronts: What `fit` found.
        scale: Wanted, for each channel in the order of the tensor.
        offset: Likewise.
        order: Wanted, `"rgb"` or `"bgr"`.

    Raises:
        FrontError: If no ordinary image can be fed to get it.
    """
    answers = []
    for front in fronts:
        answer = _invert_one(front, np.asarray(scale), np.asarray(offset), order)
        lo, hi = _span(answer)
        # A front that clips counts where the images fall that it calls for.
        low, high = RANGES[front.valid[0]]
        slack = 0.02 * (high - low)
        if len(fronts) == 1 and len(front.valid) > 1 or (lo >= low - slack and hi <= high + slack):
            answers.append(answer)
    if len(answers) != 1:
        raise FrontError("it is a scale and an offset in a part of the range of values only")
    return answers[0]


def _span(convention: InputConvention) -> tuple[float, float]:
    ends = [np.asarray(convention.offset), np.asarray(convention.offset) + 255 * np.asarray(convention.scale)]
    return float(np.min(ends)), float(np.max(ends))


def _invert_one(
    front: Front, scale: np.ndarray, offset: np.ndarray, order: str
) -> InputConvention:
    fed_scale = scale / np.asarray(front.scale)
    fed_offset = (offset - np.asarray(front.offset)) / np.asarray(front.scale)
    if front.channels == 1:
        # One channel feeds all three: the middle of what they want.
        return named((float(fed_scale.mean()),), (float(fed_offset.mean()),), "gray", front.precision)
    if sorted(front.permutation) != list(range(front.channels)):
        raise FrontError("it does not use each channel once")
    back = np.argsort(front.permutation)  # which output takes input channel j
    colour = back if order == "rgb" else len(back) - 1 - back
    if colour.tolist() == [0, 1, 2]:
        fed_order = "rgb"
    elif colour.tolist() == [2, 1, 0]:
        fed_order = "bgr"
    else:
        raise FrontError(f"it reorders the channels to {list(front.permutation)}")
    return named(
        tuple(fed_scale[back].tolist()), tuple(fed_offset[back].tolist()), fed_order, front.precision
    )


def named(
    scale: tuple[float, ...], offset: tuple[float, ...], order: str, precision: float = 0.0
) -> InputConvention:
    """The convention with these numbers: a named one where they are those of a name.

    A scale agrees within 0.1 % (or the rounding of half precision), an offset
    within half a grey level of 255.
    """
    tolerance = max(1e-3, 2 * precision)
    for mode in MODES:
        known = InputConvention(mode, order)
        ks, ko = np.asarray(known.scale), np.asarray(known.offset)
        level = 0.5 * np.abs(ks) + 2 * precision * np.abs(ko)
        if np.allclose(scale, ks, rtol=tolerance, atol=0) and (np.abs(offset - ko) <= level).all():
            return known
    return InputConvention("custom", order, tuple(scale), tuple(offset))


def _numbers(values: tuple[float, ...]) -> str:
    if np.allclose(values, values[0], rtol=1e-5, atol=1e-9):
        return f"{values[0]:.4g}"
    return "[" + ", ".join(f"{v:.4g}" for v in values) + "]"
