"""Operations on image detail: blur, sharpening, resolution, noise, JPEG blocks and erasing.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
The smoothing operations are separable, with a width of its own for each sample. So
each sample has one matrix for its rows and one for its columns.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.draws import Draws, GivenSeed

BLOCK = 8  # pixels a side of a JPEG block
Level = Callable[[str], Any]  # the level of an operation by name, `(samples,)`, in its unit


def enlarge_pixels(x: Any, doublings: Any) -> Any:
    """Averages squares with sides of `2 ** doublings` pixels; `doublings` is `(samples,)`."""
    size = ops.exp(doublings * np.log(2.0))
    for axis in (1, 2):
        x = _along(_pixels(ops.shape(x)[axis], size), x, axis)
    return x


def blur(x: Any, sigma: Any) -> Any:
    """Applies a Gaussian blur; `sigma` is `(samples,)`, as a share of the side."""
    for axis in (1, 2):
        far = _distances(ops.shape(x)[axis])
        width = _per_sample(sigma * ops.cast(ops.shape(x)[axis], "float32"))
        x = _along(_normed(ops.exp(far * far * (-0.5 / (width * width + 1e-6)))), x, axis)
    return x


def motion_blur(x: Any, length: Any, draws: Draws) -> Any:
    """Averages along the rows or the columns over `length`, a share of the side, `(samples,)`."""
    along_x = draws["side"] < 0.5
    for axis in (1, 2):
        is_axis = along_x if axis == 2 else ops.logical_not(along_x)
        side = ops.cast(ops.shape(x)[axis], "float32")
        width = _per_sample(1.0 + ops.where(is_axis, length, 0.0) * side)
        far = _distances(ops.shape(x)[axis])
        x = _along(_normed(ops.clip(width / 2 + 0.5 - far, 0.0, 1.0)), x, axis)
    return x


def sharpen(x: Any, amount: Any) -> Any:
    """Sharpens by unsharp masking: adds the difference from a small blur, times `amount`."""
    soft = x
    for axis in (1, 2):
        far = _distances(ops.shape(x)[axis])
        kernel = _normed(ops.exp(-0.5 * ops.square(far)))
        soft = _along(
            ops.broadcast_to(kernel, (ops.shape(x)[0], *ops.shape(kernel)[1:])), soft, axis
        )
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (x - soft)


def _per_sample(value: Any) -> Any:
    """`(samples,)` values in the shape `(samples, 1, 1)`, to broadcast over matrices."""
    return ops.reshape(value, (-1, 1, 1))


def _distances(length: Any) -> Any:
    """Distances between all positions along a side, in pixels, `(1, length, length)`."""
    at = ops.cast(ops.arange(length), "float32")
    return ops.abs(at[:, None] - at[None, :])[None]


def _normed(matrix: Any) -> Any:
    """The matrix with rows that sum to 1."""
    return matrix / ops.sum(matrix, axis=-1, keepdims=True)


def _pixels(length: Any, size: Any) -> Any:
    """Matrices that average within large pixels of a given size, `(samples, length, length)`."""
    at = ops.cast(ops.arange(length), "float32")[None]
    number = ops.floor(at / ops.reshape(size, (-1, 1)) + 1e-4)
    same = ops.cast(ops.equal(number[:, :, None], number[:, None, :]), "float32")
    return _normed(same)


def _along(matrix: Any, x: Any, axis: int) -> Any:
    """Multiplies images along one axis by a matrix for each sample, `(samples, n, n)`."""
    shape = ops.shape(x)
    if axis == 2:
        x = ops.transpose(x, (0, 2, 1, 3))
    swapped = ops.shape(x)
    x = ops.matmul(matrix, ops.reshape(x, (swapped[0], swapped[1], swapped[2] * swapped[3])))
    x = ops.reshape(x, swapped)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), shape) if axis == 2 else x


def add_noise(x: Any, level: Level, seed: GivenSeed) -> Any:
    """Adds Gaussian noise: a constant part, and a part in proportion to the value (speckle)."""
    shape = ops.shape(x)
    flat = ops.reshape(x, (shape[0], -1))  # one row for each sample
    noise = keras.random.normal(ops.shape(flat), seed=seed, dtype="float32")
    size = level("noise")[:, None] + level("speckle")[:, None] * flat
    return ops.reshape(flat + noise * size, shape)


def add_impulses(x: Any, share: Any, seed: GivenSeed) -> Any:
    """Sets a share of the values, `(samples,)`, half of them to 0 and half to 1."""
    u = keras.random.uniform(ops.shape(x), seed=seed, dtype="float32")
    half = ops.reshape(share, (-1, 1, 1, 1)) / 2
    return ops.where(u < half, 0.0, ops.where(u > 1 - half, 1.0, x))


def quantise_blocks(x: Any, amount: Any) -> Any:
    """Rounds the cosine coefficients of 8 x 8 blocks, as JPEG does.

    High frequencies are rounded more coarsely. `amount` is `(samples,)`; at 1 the
    steps are about those of JPEG at quality 10.
    """
    (rows, row_number), (columns, column_number) = (_cosines(ops.shape(x)[a]) for a in (1, 2))
    batch = ops.shape(x)[0]

    def wide(matrix: Any) -> Any:
        return ops.broadcast_to(matrix[None], (batch, *ops.shape(matrix)))

    coefficients = _along(wide(columns), _along(wide(rows), x, 1), 2)
    number = row_number[:, None] + column_number[None, :]
    step = _per_sample(amount)[..., None] * (0.2 + 0.13 * number)[None, :, :, None] + 1e-6
    coefficients = ops.round(coefficients / step) * step
    back = (wide(ops.transpose(matrix)) for matrix in (rows, columns))
    y = _along(next(back), coefficients, 1)
    y = _along(next(back), y, 2)
    return ops.where(_per_sample(amount)[..., None] > 0, y, x)


def _cosines(length: Any) -> tuple[Any, Any]:
    """Returns the orthonormal cosine transform of blocks, and the frequency of each row.

    The last block is shorter if `length` is not a multiple of the block size.
    """
    at = ops.cast(ops.arange(length), "float32")
    block = ops.floor(at / BLOCK)
    number = at - BLOCK * block
    size = ops.minimum(float(BLOCK), ops.cast(length, "float32") - BLOCK * block)
    wave = ops.cos(np.pi * (2 * number[None, :] + 1) * number[:, None] / (2 * size[:, None]))
    scale = ops.sqrt(ops.where(number > 0, 2.0, 1.0) / size)
    same = ops.cast(ops.equal(block[:, None], block[None, :]), "float32")
    return wave * scale[:, None] * same, number


def erase(x: Any, side: Any, draws: Draws) -> Any:
    """Covers a random rectangle with the mean of the image; `side` is a share of the sides."""
    h, w = ops.shape(x)[1:3]

    def covered(length: Any, u: Any) -> Any:
        at = (ops.cast(ops.arange(length), "float32") + 0.5) / ops.cast(length, "float32")
        start = u * (1 - side)
        start, end = ops.reshape(start, (-1, 1)), ops.reshape(start + side, (-1, 1))
        return ops.logical_and(at[None] >= start, at[None] < end)

    inside = ops.logical_and(covered(h, draws["y"])[:, :, None], covered(w, draws["x"])[:, None, :])
    return ops.where(inside[..., None], ops.mean(x, axis=(1, 2), keepdims=True), x)
