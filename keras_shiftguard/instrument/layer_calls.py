"""What chosen layers of a model receive, in a forward pass that ends at the last of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.graph import sublayers


class NotReachedError(RuntimeError):
    """The forward pass did not come by any of the layers."""


class _Reached(BaseException):
    """Ends the forward pass; no `except Exception` of a layer may catch it."""


@contextmanager
def recorded(layers: list[Any], found: dict[int, Any]) -> Iterator[None]:
    """Lets the layers tell what they receive; the last one ends the pass.

    The recorder shadows `call` in the instance's own dictionary, past every
    `__setattr__` of Keras and torch, so that nothing is tracked.
    """
    shadowed: dict[int, tuple[Any, Any]] = {}
    try:
        for layer in layers:
            shadowed[id(layer)] = (layer, vars(layer).get("call"))
            vars(layer)["call"] = _recorder(layer, layer.call, found, len(layers))
        yield
    except _Reached:
        pass
    finally:
        for layer, before in shadowed.values():
            if before is None:
                vars(layer).pop("call", None)
            else:
                vars(layer)["call"] = before


def _recorder(layer: Any, call: Any, found: dict[int, Any], wanted: int) -> Any:
    def record(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) not in found:
            x = ops.cast(inputs, "float32")
            axis = layer.axis % len(x.shape)
            space = tuple(a for a in range(1, len(x.shape)) if a != axis)
            found[id(layer)] = tuple(
                ops.convert_to_numpy(ops.mean(v, axis=space) if space else v)
                for v in (x, ops.square(x))
            )
            if len(found) == wanted:
                raise _Reached
        return call(inputs, *args, **kwargs)

    return record


def in_order(layer: Any, seen: set[int] | None = None) -> Iterator[tuple[Any, list[Any]]]:
    """Every layer with the variables of its own, about in the order of execution."""
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    inner = sublayers(layer)
    within = {id(v) for sub in inner for v in sub.variables}
    yield layer, [v for v in layer.variables if id(v) not in within]
    for sub in inner:
        yield from in_order(sub, seen)


def as_called(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> Any:
    """The inputs in the structure that the model's `call` takes."""
    tensors = {name: ops.convert_to_tensor(x) for name, x in inputs.items()}
    names = list(tensors)
    try:
        declared = model.input
    except (AttributeError, ValueError):  # a subclassed model declares none
        declared = None
    if isinstance(declared, dict):
        return tensors if len(declared) > 1 else dict(zip(declared, tensors.values(), strict=True))
    if len(names) == 1:
        return tensors[names[0]]
    if isinstance(declared, list | tuple):
        return [tensors.get(t.name, tensors[name]) for t, name in zip(declared, names, strict=True)]
    return list(tensors.values()) if names[0] == "input_0" else tensors
