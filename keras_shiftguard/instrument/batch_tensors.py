"""Helpers for the tensors of one batch inside a training or test step."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_shiftguard.errors import warn
from keras_shiftguard.io.batches import named_inputs
from keras_shiftguard.statistics.batch import is_numeric


def is_dense(x: Any) -> bool:
    """Whether `x` is a numeric tensor that is neither ragged nor sparse."""
    return not _why_not_dense(x)


def _why_not_dense(x: Any) -> str:
    """Returns a phrase that says why `x` is not dense; "" if it is."""
    kind = type(x).__name__
    if kind == "RaggedTensor":
        return "it is ragged"
    if kind in ("SparseTensor", "BCOO") or getattr(x, "is_sparse", False):
        return "it is sparse"
    if not is_numeric(x) or not hasattr(x, "shape"):
        return f"it holds no numbers but {getattr(x, 'dtype', kind)}"
    return ""


class UnmeasuredInputs:
    """A warning, given once, about the inputs of a model that cannot be measured."""

    def __init__(self) -> None:
        self._warned = False

    def check(self, inputs: Mapping[str, Any], measured: Collection[str]) -> None:
        """Warns of the inputs that are not measured, with the reason, unless it has warned before.

        Args:
            inputs: The inputs of a batch, by name.
            measured: Names of the inputs that are measured.
        """
        reasons = {
            name: _why_not_dense(x) or f"its shape {tuple(x.shape)} is not supported"
            for name, x in inputs.items()
            if name not in measured
        }
        if reasons and not self._warned:
            self._warned = True
            named = " and ".join(f"{name!r} ({reason})" for name, reason in reasons.items())
            warn(f"ShiftGuard does not measure the input {named}.")


def copy_on_tensorflow(data: Any) -> Any:
    """Returns copies of the tensors on TensorFlow, and the same tensors elsewhere.

    TensorFlow wraps aligned arrays of a `PyDataset` without a copy. It may then write
    the result of an operation over its input, and so change the user's array for all
    later epochs. The measurement must never cause that. The copy is made by gathering
    all rows, which copies on every device, also under XLA, and is not optimised away.
    """
    if keras.backend.backend() != "tensorflow":
        return data

    def copy(value: Any) -> Any:
        if not is_dense(value) or not len(value.shape):
            return value
        return ops.take(value, ops.arange(ops.shape(value)[0]), axis=0)

    return keras.tree.map_structure(copy, data, none_is_leaf=False)


def with_replaced_tensors(x: Any, corrected: dict[str, Any], names: Sequence[str]) -> Any:
    """Returns `x` with some tensors replaced, in the same structure.

    Args:
        x: One tensor, or a dict, list or tuple of them.
        corrected: The new tensors by input name.
        names: Input names of the members of a list or tuple.
    """
    if isinstance(x, dict):
        return {key: corrected.get(str(key), value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        values = list(named_inputs(x, names))
        return type(x)(corrected.get(name, v) for name, v in zip(values, x, strict=True))
    return corrected.get("input", x)


def shapes_of(data: Any) -> Any:
    """Returns the shape of one sample of each tensor as text, in the structure of `data`."""

    def shape_of(value: Any) -> str:
        shape = getattr(value, "shape", None)
        return "" if shape is None else str(shape[1:])

    return keras.tree.map_structure(shape_of, data)
