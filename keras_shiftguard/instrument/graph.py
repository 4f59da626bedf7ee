"""The computation graph of a model as one flat list, nested models inlined.

This file is the one place that reads how Keras records its graph.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Step:
    """One call of one operation in the flattened graph.

    Args:
        operation: The layer or operation; None for an input of the model.
        parents: Indices of the steps whose outputs this one takes.
        origin: For an input of the model, its position; else -1.
        outermost: The output tensors, in the outermost graph, of the call that
            this step is part of: how far that graph must run to reach it.
    """

    operation: Any
    parents: tuple[int, ...]
    origin: int = -1
    outermost: tuple[Any, ...] = ()


def has_graph(layer: Any) -> bool:
    """Whether `layer` is a model whose graph is recorded (functional, built sequential)."""
    if not isinstance(layer, keras.Model):
        return False
    try:
        return bool(layer.inputs) and bool(layer.outputs)
    except (AttributeError, ValueError):
        return False


def flatten(model: keras.Model) -> list[Step]:
    """Every step between the inputs and outputs of `model`, parents first."""
    steps = [Step(None, (), origin=i) for i in range(len(model.inputs))]
    _expand(model, list(range(len(model.inputs))), steps, outermost=None)
    return steps


def _expand(
    model: Any, inputs: list[int], steps: list[Step], outermost: tuple[Any, ...] | None
) -> list[int]:
    """Append the steps of one model; return the indices of its outputs."""
    made: dict[int, int] = {id(t): i for t, i in zip(model.inputs, inputs, strict=True)}
    for node in _nodes(model):
        parents = [made[id(t)] for t in node.input_tensors if id(t) in made]
        outer = outermost if outermost is not None else tuple(node.output_tensors)
        if has_graph(node.operation) and len(parents) == len(node.operation.inputs):
            outputs = _expand(node.operation, parents, steps, outer)
        else:
            steps.append(Step(node.operation, tuple(parents), outermost=outer))
            outputs = [len(steps) - 1] * len(node.output_tensors)
        for tensor, index in zip(node.output_tensors, outputs, strict=False):
            made.setdefault(id(tensor), index)
    return [made.get(id(t), inputs[0]) for t in model.outputs]


def _nodes(model: Any) -> Iterator[Any]:
    """The recorded calls of one model, parents first (without recursion: graphs are deep)."""
    entries = {id(t) for t in model.inputs}
    done: set[int] = set()
    stack = [(t, False) for t in reversed(model.outputs)]
    while stack:
        tensor, expanded = stack.pop()
        node = None if id(tensor) in entries else _node_of(tensor)
        if node is None or id(node) in done:
            continue
        if expanded:
            done.add(id(node))
            yield node
        else:
            stack.append((tensor, True))
            stack.extend((t, False) for t in reversed(node.input_tensors))


def _node_of(tensor: Any) -> Any:
    """The recorded call that made a symbolic tensor, None where nothing is recorded."""
    # Keras has no public way to ask for it; `Function` keeps the same walk to itself.
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        return None
    nodes = getattr(history.operation, "_inbound_nodes", [])
    node = nodes[history.node_index] if history.node_index < len(nodes) else None
    return None if node is None or node.is_input else node


def sublayers(layer: Any) -> list[Any]:
    """The layers directly inside a layer or model, in the order they were attached."""
    if isinstance(layer, keras.Model):
        found = list(layer.layers)
    elif isinstance(layer, keras.layers.Wrapper):
        found = [layer.layer]
    else:
        found = []
        for value in vars(layer).values() if hasattr(layer, "__dict__") else ():
            if isinstance(value, dict):
                value = list(value.values())
            values = value if isinstance(value, list | tuple) else (value,)
            found += [v for v in values if isinstance(v, keras.layers.Layer)]
    return list({id(v): v for v in found if v is not layer}.values())


def nested_models(layer: Any) -> list[Any]:
    """Every model with a recorded graph inside `layer`, outermost first."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    queue = [layer]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current is not layer and has_graph(current):
            found[id(current)] = current
        queue += sublayers(current)
    return list(found.values())


def ancestors(steps: list[Step], index: int) -> set[int]:
    """The step itself and every step that it depends on."""
    found, stack = {index}, [index]
    while stack:
        for parent in steps[stack.pop()].parents:
            if parent not in found:
                found.add(parent)
                stack.append(parent)
    return found
