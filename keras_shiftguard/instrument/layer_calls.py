"""Forward passes that record the inputs of chosen layers, or that replace their `call`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import sublayers, walk

_ABSENT = object()


class NotReachedError(RuntimeError):
    """The forward pass did not call any of the layers."""


class _AllRecorded(BaseException):
    """Raised to end a forward pass early; not an `Exception`, so that no layer catches it."""


@contextmanager
def replaced_calls(calls: Iterable[tuple[Any, Callable[..., Any]]]) -> Iterator[None]:
    """Context in which the `call` of layers is replaced; at its end, `call` is restored.

    The replacement is written to the instance's own dictionary. This avoids the `__setattr__` of
    Keras and torch, which would track the replacement. A `call` that the user had set on the
    instance is restored as well.
    """
    before: list[tuple[dict[str, Any], Any]] = []
    try:
        for layer, call in calls:
            attributes = vars(layer)
            before.append((attributes, attributes.get("call", _ABSENT)))
            attributes["call"] = call
        yield
    finally:
        for attributes, previous in reversed(before):
            if previous is _ABSENT:
                attributes.pop("call", None)
            else:
                attributes["call"] = previous


def no_gradients() -> AbstractContextManager[Any]:
    """Returns a context in which PyTorch records no gradients."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    no_gradients: AbstractContextManager[Any] = torch.no_grad()
    return no_gradients


@contextmanager
def recorded(layers: list[Any], found: dict[int, Any]) -> Iterator[None]:
    """Context that records channel means of the inputs of batch-norm layers in a forward pass.

    The context ends the pass as soon as all these layers have been called.

    Args:
        layers: Built batch-norm layers, each once.
        found: Dict to fill. For each `id(layer)`, the entry has the means over space of the input
            values and of their squares, each `(batch, channels)` float32.
    """
    recorders = [(layer, _recorder(layer, layer.call, found, len(layers))) for layer in layers]
    try:
        with replaced_calls(recorders):
            yield
    except _AllRecorded:
        pass


def _recorder(layer: Any, call: Any, found: dict[int, Any], num_layers: int) -> Any:
    """Returns a replacement for `call` that records means of the first input of `layer` in `found`.

    The replacement ends the forward pass when `found` has `num_layers` entries.
    """

    def record(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) not in found:
            x = ops.cast(inputs, "float32")
            axis = layer.axis % len(x.shape)
            space = tuple(a for a in range(1, len(x.shape)) if a != axis)
            found[id(layer)] = tuple(
                ops.convert_to_numpy(ops.mean(v, axis=space) if space else v)
                for v in (x, ops.square(x))
            )
            if len(found) == num_layers:
                raise _AllRecorded
        return call(inputs, *args, **kwargs)

    return record


def layers_with_own_variables(model: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yields every layer and its own variables, without the variables of layers inside it.

    The order is nearly the order of execution.
    """
    for layer in walk(model):
        inside = {id(v) for inner in sublayers(layer) for v in inner.variables}
        yield layer, [v for v in layer.variables if id(v) not in inside]


def as_called(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> Any:
    """Returns the inputs as tensors, in the structure that the model's `call` accepts."""
    tensors = {name: ops.convert_to_tensor(x) for name, x in inputs.items()}
    names = list(tensors)
    try:
        declared = model.input
    except (AttributeError, ValueError):  # a subclassed model declares no inputs
        declared = None
    if isinstance(declared, dict):
        return tensors if len(declared) > 1 else dict(zip(declared, tensors.values(), strict=True))
    if len(names) == 1:
        return tensors[names[0]]
    if isinstance(declared, list | tuple):
        return [tensors.get(t.name, tensors[name]) for t, name in zip(declared, names, strict=True)]
    return list(tensors.values()) if names[0] == "input_0" else tensors
