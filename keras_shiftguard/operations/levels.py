"""Operations on levels and order of values: another scale, inverted images, swapped channels.

Such a change is a fault of the code that feeds the model, not of the camera. So nothing is clipped.
"""

from typing import Any

from keras import ops

from keras_shiftguard.operations.operation import Operation


def _overflowed(x: Any, factor: Any) -> Any:
    """Multiplies values; those beyond white begin again at black, as 8-bit numbers do."""
    y = x * (factor * 255 / 256)
    return (y - ops.floor(y)) * (256 / 255)


def wrapped(x: Any, amount: Any) -> Any:
    """Subtracts a number from values; those below black begin again at white, as 8-bit ones do."""
    y = (x - amount) * (255 / 256)
    return (y - ops.floor(y)) * (256 / 255)


BRIGHTER = (1.25, 1.5, 2.0)  # factors above which 8-bit numbers overflow. A convention.
# Scales from one range of values to another. Given by the modes of `preprocess_input`.
SCALES = (1 / 255, 1 / 127.5, 127.5, 255.0)

# Its strength is computed, see `account.candidates.candidates`.
WRAP = Operation("wrap", "overflow", "subtracts and wraps", wrapped)
# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    Operation(
        "scale", "light", "multiplies by a scale", lambda x, factor: x * factor, SCALES, "by {:.3g}"
    ),
    Operation("invert", "light", "inverts", lambda x, _: 1.0 - x, (1.0,)),
    Operation(
        "to_symmetric", "light", "maps [0, 1] to [-1, 1]", lambda x, _: 2.0 * x - 1.0, (1.0,)
    ),
    Operation(
        "from_symmetric", "light", "maps [-1, 1] to [0, 1]", lambda x, _: (x + 1.0) / 2.0, (1.0,)
    ),
    Operation("overflow", "overflow", "overflows", _overflowed, BRIGHTER, "{:.3g} times as bright"),
    WRAP,
    Operation(
        "swap_channels",
        "order",
        "reverses the channels",
        lambda x, _: ops.flip(x, -1),
        (1.0,),
        channels=2,
    ),
)
