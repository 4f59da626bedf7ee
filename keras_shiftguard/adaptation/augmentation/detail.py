"""Operations on image detail: blur, sharpening, resolution, noise, JPEG blocks and erasing.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
Smoothing multiplies each image by one matrix along its height and by one along its
width, because the width of the kernel differs between samples.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.draws import Draws, GivenSeed, Level

BLOCK = 8  # side of a JPEG block in pixels


def enlarge_pixels(x: Any, doublings: Any) -> Any:
    """Replaces squares with sides of `2 ** doublings` pixels by their means.

    Args:
        x: Images.
        doublings: Exponents, `(samples,)`, at least 0; need not be integers.
    """
    size = ops.exp(doublings * np.log(2.0))
    for axis in (1, 2):
        x = _along(_averages(ops.shape(x)[axis], size), x, axis)
    return x


def blur(x: Any, sigma: Any) -> Any:
    """Applies a Gaussian blur.

    Args:
        x: Images.
        sigma: Standard deviations of the kernel, `(samples,)`, as a share of the
            height along the height and of the width along the width.
    """
    for axis in (1, 2):
        distance = _distances(ops.shape(x)[axis])
        pixels = _per_sample(sigma * ops.cast(ops.shape(x)[axis], "float32"))
        kernel = ops.exp(distance * distance * (-0.5 / (pixels * pixels + 1e-6)))
        x = _along(_normed(kernel), x, axis)
    return x


def motion_blur(x: Any, length: Any, draws: Draws) -> Any:
    """Averages each image along its rows or along its columns, at random.

    Args:
        x: Images.
        length: Number of averaged pixels, `(samples,)`, as a share of the side.
        draws: The random numbers that choose the direction.
    """
    along_rows = draws["side"] < 0.5
    for axis in (1, 2):
        is_chosen = along_rows if axis == 2 else ops.logical_not(along_rows)
        side = ops.cast(ops.shape(x)[axis], "float32")
        pixels = _per_sample(1.0 + ops.where(is_chosen, length, 0.0) * side)
        distance = _distances(ops.shape(x)[axis])
        x = _along(_normed(ops.clip(pixels / 2 + 0.5 - distance, 0.0, 1.0)), x, axis)
    return x


def sharpen(x: Any, amount: Any) -> Any:
    """Sharpens by unsharp masking: adds `amount`, `(samples,)`, times the image minus its blur."""
    soft = x
    for axis in (1, 2):
        distance = _distances(ops.shape(x)[axis])
        kernel = _normed(ops.exp(-0.5 * ops.square(distance)))  # sigma is one pixel
        soft = _along(
            ops.broadcast_to(kernel, (ops.shape(x)[0], *ops.shape(kernel)[1:])), soft, axis
        )
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (x - soft)


def _per_sample(value: Any) -> Any:
    """Returns `(samples,)` values as `(samples, 1, 1)`, to broadcast over matrices."""
    return ops.reshape(value, (-1, 1, 1))


def _distances(length: Any) -> Any:
    """Returns the distances between all positions on a side, in pixels, `(1, length, length)`."""
    at = ops.cast(ops.arange(length), "float32")
    return ops.abs(at[:, None] - at[None, :])[None]


def _normed(matrix: Any) -> Any:
    """Returns the matrix with each row divided by its sum."""
    return matrix / ops.sum(matrix, axis=-1, keepdims=True)


def _averages(length: Any, size: Any) -> Any:
    """Returns matrices that average along a side, within stretches of a given length.

    `size` is the length of a stretch in pixels, `(samples,)`.

    Returns:
        `(samples, length, length)`.
    """
    at = ops.cast(ops.arange(length), "float32")[None]
    stretch = ops.floor(at / ops.reshape(size, (-1, 1)) + 1e-4)
    same = ops.cast(ops.equal(stretch[:, :, None], stretch[:, None, :]), "float32")
    return _normed(same)


def _along(matrix: Any, x: Any, axis: int) -> Any:
    """Multiplies images along one axis by the matrix of each sample, `(samples, n, n)`."""
    shape = ops.shape(x)
    if axis == 2:
        x = ops.transpose(x, (0, 2, 1, 3))
    swapped = ops.shape(x)
    x = ops.matmul(matrix, ops.reshape(x, (swapped[0], swapped[1], swapped[2] * swapped[3])))
    x = ops.reshape(x, swapped)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), shape) if axis == 2 else x


def add_noise(x: Any, level: Level, seed: GivenSeed) -> Any:
    """Adds Gaussian noise.

    Its standard deviation is the level of `"noise"` plus the level of `"speckle"` times
    the value of the pixel.
    """
    shape = ops.shape(x)
    flat = ops.reshape(x, (shape[0], -1))  # one row for each sample
    noise = keras.random.normal(ops.shape(flat), seed=seed, dtype="float32")
    std = level("noise")[:, None] + level("speckle")[:, None] * flat
    return ops.reshape(flat + noise * std, shape)


def add_impulses(x: Any, share: Any, seed: GivenSeed) -> Any:
    """Sets a random share of the values, half to 0 and half to 1; `share` is `(samples,)`."""
    u = keras.random.uniform(ops.shape(x), seed=seed, dtype="float32")
    half = ops.reshape(share, (-1, 1, 1, 1)) / 2
    return ops.where(u < half, 0.0, ops.where(u > 1 - half, 1.0, x))


def quantise_blocks(x: Any, amount: Any) -> Any:
    """Rounds the cosine coefficients of 8 x 8 blocks to multiples of a step, as JPEG does.

    High frequencies have larger steps.

    Args:
        x: Images.
        amount: Factor of the steps, `(samples,)`; at 1 they are about those of JPEG at
            quality 10, at 0 the image stays as it is.
    """
    (rows, row_frequency), (columns, column_frequency) = (
        _cosines(ops.shape(x)[axis]) for axis in (1, 2)
    )
    samples = ops.shape(x)[0]

    def repeated(matrix: Any) -> Any:  # the same matrix for each sample
        return ops.broadcast_to(matrix[None], (samples, *ops.shape(matrix)))

    coefficients = _along(repeated(columns), _along(repeated(rows), x, 1), 2)
    frequency = row_frequency[:, None] + column_frequency[None, :]
    step = _per_sample(amount)[..., None] * (0.2 + 0.13 * frequency)[None, :, :, None] + 1e-6
    coefficients = ops.round(coefficients / step) * step
    # The transform is orthonormal, so the transposed matrix is its inverse.
    y = _along(repeated(ops.transpose(rows)), coefficients, 1)
    y = _along(repeated(ops.transpose(columns)), y, 2)
    return ops.where(_per_sample(amount)[..., None] > 0, y, x)


def _cosines(length: Any) -> tuple[Any, Any]:
    """Returns the orthonormal cosine transform of blocks along a side of `length` pixels.

    The last block is shorter if `length` is not a multiple of the block size.

    Returns:
        The matrix of the transform, `(length, length)`, and the frequency of each of its
        rows, `(length,)`, from 0 to 7.
    """
    at = ops.cast(ops.arange(length), "float32")
    block = ops.floor(at / BLOCK)
    # `position` is the place of each column in its block, and also the frequency of each row.
    position = at - BLOCK * block
    size = ops.minimum(float(BLOCK), ops.cast(length, "float32") - BLOCK * block)
    wave = ops.cos(np.pi * (2 * position[None, :] + 1) * position[:, None] / (2 * size[:, None]))
    scale = ops.sqrt(ops.where(position > 0, 2.0, 1.0) / size)
    same = ops.cast(ops.equal(block[:, None], block[None, :]), "float32")
    return wave * scale[:, None] * same, position


def erase(x: Any, side: Any, draws: Draws) -> Any:
    """Covers a random rectangle with the mean color of the image.

    Args:
        x: Images.
        side: Height and width of the rectangle, `(samples,)`, as a share of the image's.
        draws: The random numbers that place the rectangle.
    """
    h, w = ops.shape(x)[1:3]

    def covered(length: Any, u: Any) -> Any:
        """Returns which positions on a side of the image are covered, `(samples, length)`."""
        at = (ops.cast(ops.arange(length), "float32") + 0.5) / ops.cast(length, "float32")
        start = u * (1 - side)
        start, end = ops.reshape(start, (-1, 1)), ops.reshape(start + side, (-1, 1))
        return ops.logical_and(at[None] >= start, at[None] < end)

    inside = ops.logical_and(covered(h, draws["y"])[:, :, None], covered(w, draws["x"])[:, None, :])
    return ops.where(inside[..., None], ops.mean(x, axis=(1, 2), keepdims=True), x)
