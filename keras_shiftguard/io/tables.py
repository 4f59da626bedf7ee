"""Tables of pandas: their numbers as arrays, and the names of their columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_shiftguard.errors import BadInputError

Columns = Mapping[str, tuple[str, ...]]  # names of columns, by name of the input


def without_pandas(data: Any) -> Any:
    """Returns arrays in place of the tables and columns of pandas in `data`."""
    if hasattr(data, "iloc") and hasattr(data, "to_numpy"):
        values = data.to_numpy()
        dtypes = [data.dtype] if hasattr(data, "dtype") else data.dtypes
        # The numbers have several dtypes, or some are missing.
        if values.dtype == object and {each.kind for each in dtypes} <= set("biuf"):
            values = data.to_numpy(dtype="float64", na_value=np.nan)
        elif values.dtype == object and values.ndim == 2:
            text = [str(name) for name, each in data.dtypes.items() if each.kind not in "biuf"]
            raise BadInputError(
                f"The columns of a table must hold numbers: encode the others, or leave them out "
                f'with table.select_dtypes("number"). Received, without numbers: {text[:5]}'
            )
        return values
    if type(data) in (list, tuple):
        return type(data)(map(without_pandas, data))
    if type(data) is dict:
        return {name: without_pandas(value) for name, value in data.items()}
    return data


def is_table(x: Any) -> bool:
    """Whether `x` is a table of pandas."""
    return hasattr(x, "iloc") and hasattr(x, "columns")


def columns_of(tables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Returns the names of the columns of those inputs that are tables of pandas."""
    return {name: tuple(map(str, x.columns)) for name, x in tables.items() if is_table(x)}


def are_reordered(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether two tables have the same columns in another order."""
    return ours != theirs and sorted(ours) == sorted(theirs)


def check_order(columns: Columns, others: Columns, name: str, other_name: str) -> None:
    """Raises `BadInputError` if two sets of tables have the same columns in another order.

    Args:
        columns: The names in the one set.
        others: The names in the other set.
        name: Name of the argument with the one set.
        other_name: Name of the argument with the other set.
    """
    for key in columns.keys() & others.keys():
        ours, theirs = columns[key], others[key]
        if are_reordered(ours, theirs):
            at = next(
                i for i, pair in enumerate(zip(ours, theirs, strict=True)) if len({*pair}) > 1
            )
            raise BadInputError(
                f"The columns of `{name}` and `{other_name}` must have one order: select them by "
                f"one list of names. Received: column {at} is {ours[at]!r} in `{name}` and "
                f"{theirs[at]!r} in `{other_name}`"
            )
