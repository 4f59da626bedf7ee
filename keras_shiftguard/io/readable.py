"""Tables of pandas, sparse matrices and arrays, in a form that every backend can read."""

from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import BadInputError


def sliceable(data: Any) -> Any:
    """Returns `data` with arrays in place of what cannot be sliced, in lists, tuples and dicts.

    Tables and columns of pandas become arrays. Sparse matrices of SciPy get the CSR format.
    """
    if hasattr(data, "iloc") and hasattr(data, "to_numpy"):
        return _numbers(data)
    if hasattr(data, "tocsr") and hasattr(data, "toarray"):
        return data.tocsr()
    if type(data) in (list, tuple):
        return type(data)(map(sliceable, data))
    if type(data) is dict:
        return {name: sliceable(value) for name, value in data.items()}
    return data


def _numbers(table: Any) -> np.ndarray:
    """Returns the numbers of a table, or of a column, of pandas."""
    values: np.ndarray = table.to_numpy()
    dtypes = [table.dtype] if hasattr(table, "dtype") else table.dtypes
    # The numbers have several dtypes, or some are missing.
    if values.dtype == object and {each.kind for each in dtypes} <= set("biuf"):
        values = table.to_numpy(dtype="float64", na_value=np.nan)
    elif values.dtype == object and values.ndim == 2:
        text = [str(name) for name, each in table.dtypes.items() if each.kind not in "biuf"]
        raise BadInputError(
            f"The columns of a table must hold numbers: encode the others, or leave them out "
            f'with table.select_dtypes("number"). Received, without numbers: {text[:5]}'
        )
    return values


def readable(batch: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Returns a batch `(x, y, sample_weight)` whose arrays every backend can read.

    The result has the machine's byte order, and no unsigned numbers of 64 bits: PyTorch reads
    neither another order nor these, and JAX cuts off their upper half. Inputs of such numbers
    become float32, as which they are measured, and labels become int64.
    """
    x, y, weight = batch
    x, weight = keras.tree.map_structure(lambda leaf: _readable(leaf, "float32"), (x, weight))
    return x, keras.tree.map_structure(lambda leaf: _readable(leaf, "int64"), y), weight


def _readable(x: Any, of_uint64: str) -> Any:
    if isinstance(x, np.ndarray) and x.dtype.kind in "iufc":
        if x.dtype.kind == "u" and x.dtype.itemsize == 8:
            return x.astype(of_uint64)
        return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    if str(getattr(x, "dtype", "")) == "torch.uint64":
        import torch

        return x.to(getattr(torch, of_uint64))
    return x


def is_nested_numbers(data: Any) -> bool:
    """Whether `data` is a list or tuple of numbers, or of such lists, in place of an array."""
    if not isinstance(data, (list, tuple)) or not data:
        return False
    first = data[0]
    return isinstance(first, (int, float, np.number)) or is_nested_numbers(first)
