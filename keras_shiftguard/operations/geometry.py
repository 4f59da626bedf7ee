"""Geometric operations: rotation, shift, shear, zoom, crop, flip and elastic deformation.

`transform` combines these operations into one map of coordinates, so each image is
resampled only once, bilinearly. Pixels are gathered by index, because `ops.image.affine_transform`
does not compile under XLA on TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.operations.operation import Operation, only
from keras_shiftguard.operations.random_numbers import (
    FixedNumbers,
    GivenSeed,
    Level,
    Numbers,
    smooth_field,
)

FILL_MODES = ("reflect", "nearest", "wrap", "constant")


def transform(
    x: Any,
    level: Level,
    draws: Numbers,
    seed: GivenSeed | None,
    fill_mode: str,
    fill_value: Any,
) -> Any:
    """Applies all geometric operations to a batch of images.

    Args:
        x: float32, `(samples, height, width, channels)`.
        level: A function from the name of an operation to its levels, `(samples,)`.
        draws: The random numbers that place the crop and choose the flipped samples.
        seed: The seed of the elastic deformation; None without it. JAX compiles the choice whether
            there is one anew in each call, which takes half a second.
        fill_mode: One of `FILL_MODES`, with the same meaning as in Keras.
        fill_value: The value for `"constant"`, on the scale of `x`.

    Returns:
        Images of the shape of `x`.
    """
    height, width = ops.shape(x)[1:3]
    h, w = (ops.cast(side, "float32") for side in (height, width))
    # The map leads from a pixel of the result to a position in `x`. Both are relative to the
    # center.
    dy = ops.cast(ops.arange(height), "float32") - (h - 1) / 2
    dx = ops.cast(ops.arange(width), "float32") - (w - 1) / 2
    dy, dx = dy[None, :, None], dx[None, None, :]
    # The level of a flip is its probability.
    flip_x = _sign(draws["side"], level("flip_horizontal"))
    flip_y = _sign(draws["pick"], level("flip_vertical"))
    kept = 1.0 - level("crop")  # sides of the crop, as a share of the image's
    zoom = kept * ops.exp(level("zoom_out") - level("zoom_in"))
    angle = level("rotation") * (np.pi / 180)
    cos, sin, shear = ops.cos(angle), ops.sin(angle), level("shear")
    cut = 1.0 - kept
    # Shifts as a share of the width and of the height.
    by_x = level("shift_left") - level("shift_right") + cut * (draws["x"] - 0.5)
    by_y = level("shift_up") - level("shift_down") + cut * (draws["y"] - 0.5)

    def cell(value: Any) -> Any:  # `(samples,)` to `(samples, 1, 1)`
        return ops.reshape(value, (-1, 1, 1))

    at_x = cell(flip_x * zoom * cos) * dx + cell(flip_x * zoom * (shear * cos - sin)) * dy
    at_y = cell(flip_y * zoom * sin) * dx + cell(flip_y * zoom * (shear * sin + cos)) * dy
    at_x = at_x + cell(by_x * w) + (w - 1) / 2
    at_y = at_y + cell(by_y * h) + (h - 1) / 2

    if seed is not None:

        def deformed() -> tuple[Any, Any]:
            offset = cell(level("elastic") * h)[..., None] * (smooth_field(x, 2, seed) - 0.5)
            return at_y + offset[..., 0], at_x + offset[..., 1]

        is_elastic = ops.any(ops.not_equal(level("elastic"), 0.0))
        at_y, at_x = ops.cond(is_elastic, deformed, lambda: (at_y, at_x))
    return sample(x, at_y, at_x, fill_mode, fill_value)


def scatter(x: Any, amount: Any, seed: GivenSeed, fill_mode: str, fill_value: Any) -> Any:
    """Takes each pixel from a random position nearby, like an image behind rippled glass.

    `amount` is the largest distance along each axis, `(samples,)`, as a share of the height. The
    other arguments are those of `transform`.
    """
    shape = ops.shape(x)
    height, width = shape[1], shape[2]
    at_y = ops.cast(ops.arange(height), "float32")[None, :, None]
    at_x = ops.cast(ops.arange(width), "float32")[None, None, :]
    u = keras.random.uniform((shape[0], height, width, 2), -1.0, 1.0, seed=seed, dtype="float32")
    pixels = ops.reshape(amount * ops.cast(height, "float32"), (-1, 1, 1))
    return sample(x, at_y + pixels * u[..., 0], at_x + pixels * u[..., 1], fill_mode, fill_value)


def _sign(u: Any, probability: Any) -> Any:
    """Returns -1 with the given probability, else 1; `u` is uniform in [0, 1)."""
    return ops.where(u < probability, -1.0, 1.0)


def sample(x: Any, at_y: Any, at_x: Any, fill_mode: str, fill_value: Any) -> Any:
    """Returns the values of `x` at given positions, interpolated bilinearly.

    Args:
        x: float32, `(samples, height, width, channels)`.
        at_y: Positions in pixels from the top row, `(samples, height, width)`.
        at_x: Positions in pixels from the left column, `(samples, height, width)`.
        fill_mode: See `transform`.
        fill_value: See `transform`.
    """
    shape = ops.shape(x)
    height, width = shape[1], shape[2]
    # Pixels with all channels are gathered from one flat array. This is many times as fast as
    # `take_along_axis`, which looks up every channel separately.
    flat = ops.reshape(x, (shape[0] * height * width, shape[3]))
    first_pixel = ops.reshape(ops.arange(shape[0]) * (height * width), (-1, 1, 1))
    first_pixel = ops.cast(first_pixel, "int32")
    top, left = ops.floor(at_y), ops.floor(at_x)
    down, right = (at_y - top)[..., None], (at_x - left)[..., None]

    # Pairs of an index inside the image and whether the position is outside: for the upper and the
    # lower row, then for the left and the right column.
    rows, columns = (
        [(_inside(at + k, side, fill_mode), _outside(at + k, side)) for k in (0, 1)]
        for at, side in ((top, height), (left, width))
    )
    starts = [first_pixel + row * width for row, _ in rows]

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
    """Returns whether positions on a side lie beyond the border."""
    return ops.logical_or(at < 0, at > ops.cast(length, "float32") - 1)


def _inside(at: Any, length: Any, fill_mode: str) -> Any:
    """Returns pixel indices of positions along an axis; maps outer positions by `fill_mode`."""
    n = ops.cast(length, "float32")
    if fill_mode == "wrap":
        at = at - n * ops.floor(at / n)
    elif fill_mode == "reflect":  # d c b a | a b c d | d c b a
        at = at - 2 * n * ops.floor(at / (2 * n))
        at = ops.minimum(at, 2 * n - 1 - at)
    return ops.cast(ops.clip(at, 0.0, n - 1), "int32")


def _one(name: str) -> Callable[[Any, Any], Any]:
    """Returns the geometric operation `name` as a function of images and one strength.

    Pixels beyond the border get the value of the nearest pixel.
    """

    def apply(x: Any, amount: Any) -> Any:
        numbers = FixedNumbers(x.shape[0])
        return transform(x, only(name, amount, x), numbers, None, "nearest", 0.0)

    return apply


def _moved(axis: int, sign: int) -> Callable[[Any, Any], Any]:
    """Returns a move along one axis by whole pixels, at least one.

    A move by a part of a pixel would blur as well, and be taken for the cure of noise. Pixels
    beyond the border get the value of the nearest pixel.
    """

    def apply(x: Any, share: Any) -> Any:
        side = x.shape[axis]
        pixels = sign * max(round(float(share) * side), 1)
        at = np.clip(np.arange(side) - pixels, 0, side - 1).astype("int32")
        return ops.take(x, ops.convert_to_tensor(at), axis=axis)

    return apply


def _transposed(x: Any, amount: Any) -> Any:
    """Exchanges rows and columns of square images; others stay as they are."""
    return ops.transpose(x, (0, 2, 1, 3)) if x.shape[1] == x.shape[2] else x


def _flipped(axis: int) -> Callable[[Any, Any], Any]:
    return lambda x, amount: ops.flip(x, axis)


# One, two and four pixels of a small image of 28 pixels. A convention.
MOVES = (1 / 28, 2 / 28, 4 / 28)
WIDTH, HEIGHT = "{:.2g} of the width", "{:.2g} of the height"
FACTOR, IMAGES = "by a factor of exp {:.2g}", "{:.2g} of images"
DEGREES = "up to {:.2g} degrees"
# Turns to both sides in degrees, and logarithms of zooms. Conventions.
TURNS = tuple(sign * angle for angle in (8.0, 15.0, 25.0, 45.0, 90.0) for sign in (-1, 1))
LARGER = tuple(float(np.log(factor)) for factor in (1.08, 1.15, 1.3, 1.45))
SMALLER = tuple(float(np.log(factor)) for factor in (1.15, 1.3, 1.45))


# Axes and directions of the moves. Given by Keras's order of axes.
MOVED = {
    "shift_left": _moved(2, -1),
    "shift_right": _moved(2, 1),
    "shift_up": _moved(1, -1),
    "shift_down": _moved(1, 1),
}


# A flip costs no detail, but a mirrored 2 is not a 2. A convention.
FLIP: dict[str, Any] = {"effort": 1, "asked_only": True}


def _row(name: str, words: str, *row: Any, **more: Any) -> Operation:
    return Operation(name, "geometry", words, *row, **{"effort": 2, **more})


# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    _row("rotation", "rotates", _one("rotation"), (*TURNS, 180.0), DEGREES, 45, signed=True),
    _row("shift_left", "moves left", MOVED["shift_left"], MOVES, WIDTH, 0.3, "shift_right"),
    _row("shift_right", "moves right", MOVED["shift_right"], MOVES, WIDTH, 0.3, "shift_left"),
    _row("shift_up", "moves up", MOVED["shift_up"], MOVES, HEIGHT, 0.3, "shift_down"),
    _row("shift_down", "moves down", MOVED["shift_down"], MOVES, HEIGHT, 0.3, "shift_up"),
    _row("shear", "shears", _one("shear"), (-0.2, 0.2), f"up to {HEIGHT}", 0.4, signed=True),
    _row("zoom_in", "enlarges", _one("zoom_in"), LARGER, FACTOR, 0.7, "zoom_out"),
    _row("zoom_out", "shrinks", _one("zoom_out"), SMALLER, FACTOR, 0.7, "zoom_in"),
    _row("crop", "crops and scales", None, (), "{:.2g} of the sides cut off", 0.5),
    _row("elastic", "deforms", None, (), "shifts span {:.2g} of the height", 0.3),
    _row("flip_horizontal", "mirrors", _flipped(2), (1.0,), IMAGES, 1.0, **FLIP),
    _row("flip_vertical", "flips upside down", _flipped(1), (1.0,), IMAGES, 1.0, **FLIP),
    Operation("transpose", "geometry", "exchanges rows and columns", _transposed, (1.0,)),
)
# Only augmentation scatters pixels. Its largest strength is a convention.
SCATTER = Operation("scatter", "detail", "scatters pixels", unit=f"up to {HEIGHT}", limit=0.08)
