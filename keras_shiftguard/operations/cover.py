"""Operation that covers a part of each image, as an object in front of the camera does."""

from typing import Any

from keras import ops

from keras_shiftguard.operations.operation import Operation, evenly
from keras_shiftguard.operations.random_numbers import FixedNumbers, Numbers


def erase(x: Any, side: Any, draws: Numbers) -> Any:
    """Covers a random rectangle with the mean color of the image.

    `side` is the height and width of the rectangle, `(samples,)`, as a share of the image's.
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


def _erase(x: Any, side: Any) -> Any:
    return erase(x, side, FixedNumbers(x.shape[0]))


# The largest strength of augmentation. A convention.
OPERATIONS = (
    Operation(
        *("erasing", "cover", "erases a rectangle", evenly(_erase), (), "{:.2g} of the sides", 0.6),
        effort=2,
    ),
)
