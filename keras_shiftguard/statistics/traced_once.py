"""An update that TensorFlow traces once, for the steps of every stream, fit and model."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import keras

from keras_shiftguard.statistics.state import State

KEPT = 64  # some hundred KiB each

_traced: OrderedDict[Hashable, Any] = OrderedDict()


def traced_once(update: Callable[..., Any], state: State, key: Hashable, *tensors: Any) -> Any:
    """Calls `update(*tensors)`; inside of a TensorFlow step, as a function kept for the process.

    Hundreds of operations take longer to trace than those of most networks, in the
    step for training, in that for validation, and in those of the next model. The call
    is inlined when TensorFlow optimises the step. JAX compiles each step as a whole,
    and PyTorch traces nothing.

    Args:
        update: Assigns to variables of `state`, and reads no others.
        state: Its variables.
        key: Updates of equal keys do the same to variables of the same shapes.
        tensors: What it takes.

    Returns:
        What `update` does: a structure of tensors, or None.
    """
    if keras.backend.backend() != "tensorflow":
        return update(*tensors)
    import tensorflow as tf

    # Outside of a step images of any size may come, and be measured once. Replicas
    # each have values of their own, which cannot be handed to a function as one.
    if tf.executing_eagerly() or tf.distribute.has_strategy():
        return update(*tensors)
    key = (key, *((tuple(x.shape), x.dtype) for x in tensors))
    if key not in _traced:
        _traced[key] = tf.function(_pure(update, state.variables), autograph=False)
        while len(_traced) > KEPT:
            _traced.popitem(last=False)
    _traced.move_to_end(key)
    values = [keras.ops.convert_to_tensor(variable.value) for variable in state.variables]
    result, updated = _traced[key](values, *tensors)
    for variable, value in zip(state.variables, updated, strict=True):
        if value is not None:
            variable.assign(value)
    return result


def _pure(update: Callable[..., Any], variables: list[keras.Variable]) -> Callable[..., Any]:
    """The same on values: takes those of the variables, and returns the new ones."""

    def pure(values: list[Any], *tensors: Any) -> tuple[Any, list[Any]]:
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            result = update(*tensors)
        new = [scope.get_current_value(variable) for variable in variables]
        # What was left alone comes back as it went in.
        pairs = zip(values, new, strict=True)
        return result, [None if value is old else value for old, value in pairs]

    return pure
