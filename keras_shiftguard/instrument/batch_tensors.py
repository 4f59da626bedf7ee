"""The tensors of one batch, as the step is fed them."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_shiftguard.io.batches import named_inputs
from keras_shiftguard.statistics.batch import is_numeric


def is_dense(x: Any) -> bool:
    """Numeric, and not ragged or sparse."""
    return (
        is_numeric(x)
        and hasattr(x, "shape")
        and type(x).__name__
        not in (
            "RaggedTensor",
            "SparseTensor",
            "BCOO",
        )
    )


def own(data: Any) -> Any:
    """The same tensors in memory of their own, where the backend needs it.

    TensorFlow wraps the arrays that a `PyDataset` yields without a copy, if
    they happen to be aligned, and an operation may then write its result over
    its input: over the user's array, for all epochs to come. What we compute
    from a batch must never do that. Rows are gathered, since that copies on
    every device, under XLA as well, and is not optimised away.
    """
    if keras.backend.backend() != "tensorflow":
        return data

    def copied(value: Any) -> Any:
        if not is_dense(value) or not len(value.shape):
            return value
        return ops.take(value, ops.arange(ops.shape(value)[0]), axis=0)

    return keras.tree.map_structure(copied, data, none_is_leaf=False)


def replaced(x: Any, corrected: dict[str, Any], names: Sequence[str]) -> Any:
    """`x` in its own structure, with the corrected tensors in place."""
    if isinstance(x, dict):
        return {key: corrected.get(str(key), value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        values = list(named_inputs(x, names))
        return type(x)(corrected.get(name, v) for name, v in zip(values, x, strict=True))
    return corrected.get("input", x)


def shapes_of(data: Any) -> Any:
    """The shape of one sample of each tensor, as text, in the structure of `data`."""

    def shape_of(value: Any) -> str:
        shape = getattr(value, "shape", None)
        return "" if shape is None else str(shape[1:])

    return keras.tree.map_structure(shape_of, data)
