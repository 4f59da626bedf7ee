"""Selection of the operations that augment training, from the table of all operations.

A strength in augmentation is in [0, 1]; at 1 the operation reaches its `limit`. Opposite changes,
such as `darker` and `brighter`, are two operations, each with a strength of its own, so the one
that leads away from the target stays at zero. Only `signed` operations go in both directions, at
random.
"""

from collections.abc import Iterable

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.operations import table

OPERATIONS = {name: row for name, row in table.OPERATIONS.items() if row.limit}


def select_operations(names: Iterable[str] | None, channels: int, pool: bool) -> tuple[str, ...]:
    """Returns the names of the operations that can be used, in the order of the table.

    `names` are those that the user asked for; None means all operations that cannot make a label
    wrong. `pool` is whether there are images of the target. Raises a BadInputError for an unknown
    name.
    """
    asked = None if names is None else tuple(names)
    unknown = [name for name in asked or () if name not in OPERATIONS]
    if unknown:
        raise BadInputError(
            f"There is no operation {unknown[0]!r}. The bank has: {', '.join(OPERATIONS)}. "
            f"Received: operations={asked!r}"
        )
    return tuple(
        name
        for name, operation in OPERATIONS.items()
        if (not operation.asked_only if asked is None else name in asked)
        and operation.channels <= channels
        and (pool or not operation.pool)
    )
