"""Reads the graph of a model: as one flat list of steps, or layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from keras_shiftguard.instrument.keras_private import history_of, inbound_nodes


@dataclass(frozen=True, eq=False)
class Step:
    """One call of one operation in the flattened graph.

    Args:
        operation: The layer or operation; None for an input of the model.
        parents: Indices of the steps whose outputs are the inputs of this step.
        origin: For an input of the model, its position among the inputs; else -1.
        outermost: Output tensors in the graph of the flattened model. They are the outputs of the
            step itself or, for a step inside a nested model, of the call of the outermost nested
            model. Computing these tensors runs the step.
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
        inputs, outputs = list(layer.inputs), list(layer.outputs)
    except (AttributeError, TypeError, ValueError):
        return False
    # A subclassed model may have attributes `inputs` and `outputs` that are not tensors.
    are_tensors = all(isinstance(t, keras.KerasTensor) for t in (*inputs, *outputs))
    return bool(inputs) and bool(outputs) and are_tensors


def flatten(model: keras.Model) -> list[Step]:
    """Returns every step between the inputs and outputs of `model`, parents first.

    The call of a nested model is replaced by the steps of that model.
    """
    steps = [Step(None, (), origin=i) for i in range(len(model.inputs))]
    _expand(model, list(range(len(model.inputs))), steps, outermost=None)
    return steps


def _expand(
    model: Any, inputs: list[int], steps: list[Step], outermost: tuple[Any, ...] | None
) -> list[int]:
    """Appends the steps of one model to `steps`.

    `inputs` has the indices of the steps that make the inputs of the model. The result has those of
    the steps that make its outputs. For `outermost` see `Step`; None for the model itself.
    """
    made_by: dict[int, int] = {id(t): i for t, i in zip(model.inputs, inputs, strict=True)}
    for node in calls(model):
        parents = [made_by[id(t)] for t in node.input_tensors if id(t) in made_by]
        outer = outermost if outermost is not None else tuple(node.output_tensors)
        if has_graph(node.operation) and len(parents) == len(node.operation.inputs):
            outputs = _expand(node.operation, parents, steps, outer)
        else:
            steps.append(Step(node.operation, tuple(parents), outermost=outer))
            outputs = [len(steps) - 1] * len(node.output_tensors)
        for tensor, index in zip(node.output_tensors, outputs, strict=False):
            made_by.setdefault(id(tensor), index)
    # An output that no recorded call makes is treated as the first input.
    return [made_by.get(id(t), inputs[0]) for t in model.outputs]


def calls(model: Any) -> Iterator[Any]:
    """Yields the recorded calls of one model, parents first.

    The function is not recursive, because graphs can be deeper than Python's stack.
    """
    model_inputs = {id(t) for t in model.inputs}
    done: set[int] = set()
    # Pairs of a tensor and whether the inputs of its call are already on the stack.
    stack = [(t, False) for t in reversed(model.outputs)]
    while stack:
        tensor, expanded = stack.pop()
        node = None if id(tensor) in model_inputs else _node_of(tensor)
        if node is None or id(node) in done:
            continue
        if expanded:
            done.add(id(node))
            yield node
        else:
            stack.append((tensor, True))
            stack.extend((t, False) for t in reversed(node.input_tensors))


def _node_of(tensor: Any) -> Any:
    """Returns the recorded call that made a symbolic tensor; None if no call is recorded."""
    history = history_of(tensor)
    if history is None or history.operation is None:
        return None
    nodes = inbound_nodes(history.operation)
    node = nodes[history.node_index] if history.node_index < len(nodes) else None
    return None if node is None or node.is_input else node


def sublayers(layer: Any) -> list[Any]:
    """Returns the layers directly inside a layer or model, in the order they were attached."""
    try:
        listed = getattr(layer, "layers", None)  # None for a plain layer
    except Exception:  # a property of the user's own class may raise anything
        listed = None
    if isinstance(layer, keras.Model) and listed is not None:
        found = list(listed)
    else:
        found = []
        for value in vars(layer).values() if hasattr(layer, "__dict__") else ():
            if isinstance(value, dict):
                value = list(value.values())
            values = value if isinstance(value, list | tuple) else (value,)
            found += [v for v in values if isinstance(v, keras.layers.Layer)]
    return list({id(v): v for v in found if v is not layer}.values())


def walk(layer: Any, breadth_first: bool = False) -> Iterator[Any]:
    """Yields a layer and every layer inside it: each layer once, outer before inner layers.

    By default, a layer is followed by all layers inside it, which is nearly the order in which a
    model calls its layers; with `breadth_first`, by the other layers of its level.
    """
    seen: set[int] = set()
    queue = [layer]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = sublayers(current)
        queue = queue + inner if breadth_first else inner + queue


def nested_models(layer: Any) -> list[Any]:
    """Returns every model with a recorded graph inside `layer`, outermost first."""
    return [each for each in walk(layer, True) if each is not layer and has_graph(each)]


def ancestors(steps: list[Step], index: int) -> set[int]:
    """Returns the index of a step, and the indices of all steps that the step depends on."""
    found, stack = {index}, [index]
    while stack:
        for parent in steps[stack.pop()].parents:
            if parent not in found:
                found.add(parent)
                stack.append(parent)
    return found
