"""Operation that rounds blocks of an image, as JPEG does.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.operations.detail import along, per_sample
from keras_shiftguard.operations.operation import Operation

BLOCK = 8  # side of a JPEG block in pixels. Given by JPEG.


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


def _blocks(x: Any, amount: Any) -> Any:
    return quantise_blocks(x, ops.full((x.shape[0],), amount, "float32"))


# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    Operation(
        "blocking",
        "detail",
        "quantises blocks, as JPEG",
        _blocks,
        (0.3, 1.0),
        unit="{:.2g} of the coarsest steps",
        limit=1.0,
    ),
)
