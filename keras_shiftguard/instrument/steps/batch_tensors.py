"""Helpers for the tensors of one batch of a training or test step."""

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import warn
from keras_shiftguard.io.batches import Shape, named_inputs, to_numpy, why_not_dense
from keras_shiftguard.statistics.batch import can_be_measured
from keras_shiftguard.statistics.spread import taken


def is_dense(x: Any) -> bool:
    """Whether `x` is a numeric tensor that is neither ragged nor sparse."""
    return not why_not_measured(x)


def why_not_measured(x: Any) -> str:
    """Returns a phrase that says why `x` is not measured in a fit; "" if `x` is measured."""
    if why := why_not_dense(x):
        return why
    if not can_be_measured(x) or not hasattr(x, "shape"):
        dtype = getattr(x, "dtype", type(x).__name__)
        return f"it holds no numbers but {getattr(dtype, 'name', dtype)}"
    return ""


def not_supported(x: Any) -> str:
    """Returns a phrase that says that tensors of the shape of `x` are not measured."""
    if 0 in tuple(x.shape)[1:]:
        return f"its samples hold no values: its shape is {tuple(x.shape)}"
    return f"its shape {tuple(x.shape)} is not supported"


def warned_of(inputs: Mapping[str, Any], measured: Collection[str]) -> dict[str, str]:
    """Warns of the inputs of a batch that are not measured; returns the reasons by input name."""
    reasons = {
        name: why_not_measured(x) or not_supported(x)
        for name, x in inputs.items()
        if name not in measured
    }
    if reasons:
        named = " and ".join(f"{name!r} ({reason})" for name, reason in reasons.items())
        warn(f"ShiftGuard does not measure the input {named}.")
    return reasons


def with_replaced_tensors(
    x: Any, corrected: dict[str, Any], shapes: Mapping[str, Shape] | None = None
) -> Any:
    """Returns `x` with some tensors replaced, in the same structure.

    The new tensors, by input name, may have one dimension more or less than those of `x`, see
    `with_declared_rank`.
    """

    def replaced(name: str, value: Any) -> Any:
        new = corrected.get(name, value)
        is_like = new is value or len(new.shape) == len(value.shape)
        return new if is_like else keras.ops.reshape(new, keras.ops.shape(value))

    if isinstance(x, dict):
        return {key: replaced(str(key), value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        names = list(named_inputs(x, shapes))
        # An optional input that is None has no name here: an error is better than a lost input.
        return type(x)(replaced(name, value) for name, value in zip(names, x, strict=True))
    return replaced("input", x)


def without_padding(data: Any, weight: Any) -> Any:
    """Returns the samples of a batch whose weight is not 0.

    Samples of weight 0 do not take part in training: usually they fill up a batch or a sequence.

    Args:
        data: Tensors `(samples, ...)` in any structure; None is allowed in it.
        weight: The sample weights of the batch, `(samples,)` or `(samples, 1)`, or None.

    Returns:
        The same structure; on JAX with NumPy arrays, as JAX would compile the selection for each
        number of samples. `data` itself is returned if no sample has weight 0, if the weights are
        not one number for each sample, or if a tensor is sparse or ragged.
    """
    shape = tuple(getattr(weight, "shape", ()))
    # With several processes on JAX, a process has only a part of the weights.
    if shape[1:] not in ((), (1,)) or not shape or not _is_on_this_host(weight):
        return data
    values = to_numpy(weight).reshape(-1)
    leaves = [x for x in keras.tree.flatten(data) if x is not None]
    if np.all(values) or any(map(why_not_dense, leaves)):
        return data
    positions = np.flatnonzero(values)

    def part(x: Any) -> Any:
        sizes: tuple[Any, ...] = getattr(x, "shape", ())
        if not len(sizes) or sizes[0] != len(values):
            return x
        # On PyTorch, `profile` may get tensors of TensorFlow.
        is_own = keras.backend.backend() != "jax" and keras.ops.is_tensor(x)
        return taken(x if is_own else to_numpy(x), positions)

    return keras.tree.map_structure(part, data)


def _is_on_this_host(x: Any) -> bool:
    return bool(getattr(x, "is_fully_addressable", True))
