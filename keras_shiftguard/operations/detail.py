"""Operations on image detail: blur, sharpening, resolution and blocks.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
Smoothing multiplies each image by one matrix along its height and by one along its
width, because the width of the kernel differs between samples.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.operations.operation import Operation, evenly, within
from keras_shiftguard.operations.random_numbers import FixedNumbers, Numbers

BLOCK = 8  # side of a JPEG block in pixels. Given by JPEG.


def enlarge_pixels(x: Any, doublings: Any) -> Any:
    """Replaces squares with sides of `2 ** doublings` pixels by their means.

    `doublings`, `(samples,)`, are at least 0; they need not be integers.
    """
    size = ops.exp(doublings * np.log(2.0))
    for axis in (1, 2):
        x = along(_averages(ops.shape(x)[axis], size), x, axis)
    return x


def blur(x: Any, sigma: Any) -> Any:
    """Applies a Gaussian blur.

    `sigma`, `(samples,)`, are the standard deviations of the kernel, as a share of the height along
    the height and of the width along the width.
    """
    for axis in (1, 2):
        distance = _distances(ops.shape(x)[axis])
        pixels = per_sample(sigma * ops.cast(ops.shape(x)[axis], "float32"))
        kernel = ops.exp(distance * distance * (-0.5 / (pixels * pixels + 1e-6)))
        x = along(_normed(kernel), x, axis)
    return x


def motion_blur(x: Any, length: Any, draws: Numbers) -> Any:
    """Averages each image along its rows or along its columns, at random.

    `length` is the number of averaged pixels, `(samples,)`, as a share of the side.
    """
    along_rows = draws["side"] < 0.5
    for axis in (1, 2):
        is_chosen = along_rows if axis == 2 else ops.logical_not(along_rows)
        side = ops.cast(ops.shape(x)[axis], "float32")
        pixels = per_sample(1.0 + ops.where(is_chosen, length, 0.0) * side)
        distance = _distances(ops.shape(x)[axis])
        x = along(_normed(ops.clip(pixels / 2 + 0.5 - distance, 0.0, 1.0)), x, axis)
    return x


def sharpen(x: Any, amount: Any) -> Any:
    """Sharpens by unsharp masking: adds `amount`, `(samples,)`, times the image minus its blur."""
    soft = x
    for axis in (1, 2):
        distance = _distances(ops.shape(x)[axis])
        kernel = _normed(ops.exp(-0.5 * ops.square(distance)))  # sigma is one pixel
        soft = along(
            ops.broadcast_to(kernel, (ops.shape(x)[0], *ops.shape(kernel)[1:])), soft, axis
        )
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (x - soft)


def per_sample(value: Any) -> Any:
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
    """Returns matrices, `(samples, length, length)`, that average along a side.

    They average within stretches of `size` pixels, `(samples,)`.
    """
    at = ops.cast(ops.arange(length), "float32")[None]
    stretch = ops.floor(at / ops.reshape(size, (-1, 1)) + 1e-4)
    same = ops.cast(ops.equal(stretch[:, :, None], stretch[:, None, :]), "float32")
    return _normed(same)


def along(matrix: Any, x: Any, axis: int) -> Any:
    """Multiplies images along one axis by the matrix of each sample, `(samples, n, n)`."""
    shape = ops.shape(x)
    if axis == 2:
        x = ops.transpose(x, (0, 2, 1, 3))
    swapped = ops.shape(x)
    x = ops.matmul(matrix, ops.reshape(x, (swapped[0], swapped[1], swapped[2] * swapped[3])))
    x = ops.reshape(x, swapped)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), shape) if axis == 2 else x


def quantise_blocks(x: Any, amount: Any) -> Any:
    """Rounds the cosine coefficients of 8 x 8 blocks to multiples of a step, as JPEG does.

    High frequencies have larger steps.

    `amount` is a factor of the steps, `(samples,)`; at 1 they are about those of JPEG at quality
    10, at 0 the image stays as it is.
    """
    (rows, row_frequency), (columns, column_frequency) = (
        _cosines(ops.shape(x)[axis]) for axis in (1, 2)
    )
    samples = ops.shape(x)[0]

    def repeated(matrix: Any) -> Any:  # the same matrix for each sample
        return ops.broadcast_to(matrix[None], (samples, *ops.shape(matrix)))

    coefficients = along(repeated(columns), along(repeated(rows), x, 1), 2)
    frequency = row_frequency[:, None] + column_frequency[None, :]
    step = per_sample(amount)[..., None] * (0.2 + 0.13 * frequency)[None, :, :, None] + 1e-6
    coefficients = ops.round(coefficients / step) * step
    # The transform is orthonormal, so the transposed matrix is its inverse.
    y = along(repeated(ops.transpose(rows)), coefficients, 1)
    y = along(repeated(ops.transpose(columns)), y, 2)
    return ops.where(per_sample(amount)[..., None] > 0, y, x)


def _cosines(length: Any) -> tuple[Any, Any]:
    """Returns the orthonormal cosine transform of blocks along a side of `length` pixels.

    It is a matrix, `(length, length)`, with the frequency of each of its rows, `(length,)`, from 0
    to 7. The last block is shorter if `length` is not a multiple of the block size.
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


def median(x: Any, amount: Any) -> Any:
    """Replaces each value by the median of the 3 x 3 values around it, which removes noise."""
    wide = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    height, width = x.shape[1:3]
    near = [wide[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return ops.sort(ops.stack(near), axis=0)[4]


def coarsen(x: Any, factor: Any) -> Any:
    """Shrinks images by a factor, with antialiasing, and enlarges them again, bilinearly."""
    sides = x.shape[1:3]
    small = tuple(max(round(side / float(factor)), 4) for side in sides)
    for size in (small, sides):
        x = ops.image.resize(
            x, size, interpolation="bilinear", antialias=size is small, data_format="channels_last"
        )
    return x


def _one(run: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Returns the same as `evenly`, with values kept `within` black and white."""
    return lambda x, amount: within(x, evenly(run)(x, amount))


def _motion_blur(x: Any, length: Any) -> Any:
    return motion_blur(x, length, FixedNumbers(x.shape[0]))


SIDE, TIMES, COARSEST = "{:.2g} of the side", "{:.2g} times", "{:.2g} of the coarsest steps"
SIGMAS = (0.01, 0.018, 0.03, 0.045, 0.07)  # widths of blur that are tried. A convention.

# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    Operation(
        "resolution",
        *("detail", "enlarges pixels", _one(enlarge_pixels), (1.0, 2.0), "2 ** {:.2g} pixels"),
        limit=3.0,
    ),
    Operation(
        *("blur", "detail", "blurs", _one(blur), SIGMAS, "sigma {:.2g} of the side", 0.06),
        opposite="sharpen",
    ),
    Operation("motion_blur", "detail", "blurs along one axis", _one(_motion_blur), (), SIDE, 0.4),
    Operation(
        *("sharpen", "detail", "sharpens", _one(sharpen), (1.0, 2.0, 4.0), TIMES, 2.0),
        opposite="blur",
    ),
    Operation("median", "detail", "removes single values", median, (1.0,)),
    Operation("coarsen", "detail", "lowers the resolution", coarsen, (1.5, 2.0, 3.0), TIMES),
)
# JPEG compresses after the sensor added noise. The strengths are as above. Conventions.
BLOCKING = Operation(
    "blocking",
    "detail",
    "quantises blocks, as JPEG",
    evenly(quantise_blocks),
    (0.3, 1.0),
    COARSEST,
    limit=1.0,
)
