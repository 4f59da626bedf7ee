"""Names of the columns of tables of pandas."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard.errors import BadInputError

Columns = Mapping[str, tuple[str, ...]]  # names of columns, by name of the input


def is_table(x: Any) -> bool:
    """Whether `x` is a table of pandas."""
    return hasattr(x, "iloc") and hasattr(x, "columns")


def are_reordered(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether two tables have the same columns in another order."""
    return ours != theirs and sorted(ours) == sorted(theirs)


def check_order(columns: Columns, others: Columns, name: str, other_name: str) -> None:
    """Raises `BadInputError` if two sets of tables have the same columns in another order.

    `name` and `other_name` are those of the arguments that hold the tables.
    """
    for key in columns.keys() & others.keys():
        ours, theirs = columns[key], others[key]
        if are_reordered(ours, theirs):
            at = next(i for i, column in enumerate(ours) if column != theirs[i])
            raise BadInputError(
                f"The columns of `{name}` and `{other_name}` must have one order: select them by "
                f"one list of names. Received: column {at} is {ours[at]!r} in `{name}` and "
                f"{theirs[at]!r} in `{other_name}`"
            )
