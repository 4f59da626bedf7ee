"""Rotation, shift, shear, zoom, crop, flip and bending: one map, one resampling.

The resampling gathers: `ops.image.affine_transform` does not compile under XLA
on TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.draws import Draws, GivenSeed, smooth_field

FILL_MODES = ("reflect", "nearest", "wrap", "constant")
Level = Callable[[str], Any]


def transform(
    x: Any, level: Level, draws: Draws, seed: GivenSeed, fill_mode: str, fill_value: Any
) -> Any:
    """Moves the pixels of images.

    Args:
        x: float32, `(samples, height, width, channels)`.
        level: Gives the `(samples,)` level of an operation, in its own unit.
        draws: Where a crop lies, and who is flipped.
        seed: Of the field that bends.
        fill_mode: What is beyond the border, see `FILL_MODES`; in Keras's words.
        fill_value: Of `"constant"`, in the values of `x`.
    """
    height, width = ops.shape(x)[1:3]
    h, w = (ops.cast(side, "float32") for side in (height, width))
    # From the place in the result to the place in the source, from the centre.
    y = ops.cast(ops.arange(height), "float32") - (h - 1) / 2
    x_ = ops.cast(ops.arange(width), "float32") - (w - 1) / 2
    y, x_ = y[None, :, None], x_[None, None, :]
    # A level is `(samples,)`: flips are probabilities, by now decided.
    flip_x = _sign(draws["side"], level("flip_horizontal"))
    flip_y = _sign(draws["pick"], level("flip_vertical"))
    kept = 1.0 - level("crop")
    zoom = kept * ops.exp(level("zoom_out") - level("zoom_in"))
    angle = level("rotation") * (np.pi / 180)
    cos, sin, shear = ops.cos(angle), ops.sin(angle), level("shear")
    free = 1.0 - kept
    by_x = level("shift_left") - level("shift_right") + free * (draws["x"] - 0.5)
    by_y = level("shift_up") - level("shift_down") + free * (draws["y"] - 0.5)

    def cell(value: Any) -> Any:
        return ops.reshape(value, (-1, 1, 1))

    at_x = cell(flip_x * zoom * cos) * x_ + cell(flip_x * zoom * (shear * cos - sin)) * y
    at_y = cell(flip_y * zoom * sin) * x_ + cell(flip_y * zoom * (shear * sin + cos)) * y
    at_x = at_x + cell(by_x * w) + (w - 1) / 2
    at_y = at_y + cell(by_y * h) + (h - 1) / 2

    def bent() -> tuple[Any, Any]:
        far = cell(level("elastic") * h)[..., None] * (smooth_field(x, 2, seed) - 0.5)
        return at_y + far[..., 0], at_x + far[..., 1]

    bends = ops.any(ops.not_equal(level("elastic"), 0.0))
    at_y, at_x = ops.cond(bends, bent, lambda: (at_y, at_x))
    return sample(x, at_y, at_x, fill_mode, fill_value)


def scatter(x: Any, amount: Any, seed: GivenSeed, fill_mode: str, fill_value: Any) -> Any:
    """Takes each pixel from a random place nearby, as rippled glass does.

    Args:
        x: float32, `(samples, height, width, channels)`.
        amount: How far away at most, `(samples,)`, as a part of the side.
        seed: Of the places.
        fill_mode: See `transform`.
        fill_value: See `transform`.
    """
    shape = ops.shape(x)
    height, width = shape[1], shape[2]
    at_y = ops.cast(ops.arange(height), "float32")[None, :, None]
    at_x = ops.cast(ops.arange(width), "float32")[None, None, :]
    u = keras.random.uniform((shape[0], height, width, 2), -1.0, 1.0, seed=seed, dtype="float32")
    far = ops.reshape(amount * ops.cast(height, "float32"), (-1, 1, 1))
    return sample(x, at_y + far * u[..., 0], at_x + far * u[..., 1], fill_mode, fill_value)


def _sign(u: Any, probability: Any) -> Any:
    return ops.where(u < probability, -1.0, 1.0)


def sample(x: Any, at_y: Any, at_x: Any, fill_mode: str, fill_value: Any) -> Any:
    """Bilinear values of `x` at `(samples, height, width)` places, in pixels."""
    shape = ops.shape(x)
    height, width = shape[1], shape[2]
    # Whole pixels are gathered from one long list: many times as fast as
    # `take_along_axis`, which looks every channel up by itself.
    flat = ops.reshape(x, (shape[0] * height * width, shape[3]))
    image = ops.reshape(ops.arange(shape[0]) * (height * width), (-1, 1, 1))
    image = ops.cast(image, "int32")
    top, left = ops.floor(at_y), ops.floor(at_x)
    down, right = (at_y - top)[..., None], (at_x - left)[..., None]

    rows, columns = (
        [(_inside(at + k, side, fill_mode), _outside(at + k, side)) for k in (0, 1)]
        for at, side in ((top, height), (left, width))
    )
    starts = [image + row * width for row, _ in rows]

    def corner(i: int, j: int) -> Any:
        index = ops.reshape(starts[i] + columns[j][0], (-1,))
        values = ops.reshape(ops.take(flat, index, axis=0), shape)
        if fill_mode != "constant":
            return values
        outside = rows[i][1] | columns[j][1]
        return ops.where(outside[..., None], fill_value, values)

    def between(a: Any, b: Any, share: Any) -> Any:
        return a + share * (b - a)

    upper = between(corner(0, 0), corner(0, 1), right)
    lower = between(corner(1, 0), corner(1, 1), right)
    return between(upper, lower, down)


def _outside(at: Any, length: Any) -> Any:
    return ops.logical_or(at < 0, at > ops.cast(length, "float32") - 1)


def _inside(at: Any, length: Any, fill_mode: str) -> Any:
    n = ops.cast(length, "float32")
    if fill_mode == "wrap":
        at = at - n * ops.floor(at / n)
    elif fill_mode == "reflect":  # d c b a | a b c d | d c b a
        at = at - 2 * n * ops.floor(at / (2 * n))
        at = ops.minimum(at, 2 * n - 1 - at)
    return ops.cast(ops.clip(at, 0.0, n - 1), "int32")
