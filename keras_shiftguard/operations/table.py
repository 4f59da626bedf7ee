"""The table of operations: all that can happen to images, in the order of a camera."""

from keras_shiftguard.operations import (
    columns,
    cover,
    detail,
    geometry,
    levels,
    light,
    noise,
    target_images,
)
from keras_shiftguard.operations.operation import Operation

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        *geometry.OPERATIONS,
        *target_images.OPERATIONS,
        *light.OPERATIONS,
        geometry.SCATTER,
        *detail.OPERATIONS,
        *noise.OPERATIONS,
        detail.BLOCKING,
        *cover.OPERATIONS,
        *levels.OPERATIONS,
        columns.ALL_UNITS,  # of the channels
    )
}
