"""Pure functions made of updates: traced or compiled once, where calling each operation is slow.

An update assigns to Keras variables. Frameworks that trace (TensorFlow) or compile (JAX) want a
function of values instead, which `pure` makes; `traced_once` and `compiled` are its two uses.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras

from keras_shiftguard.statistics.state import State

MAX_CACHED = 64  # traced functions, some hundred KiB each

_traced: OrderedDict[Hashable, Any] = OrderedDict()


def pure(
    update: Callable[..., Any], variables: Sequence[keras.Variable]
) -> Callable[..., tuple[Any, list[Any]]]:
    """The function of values that does what an update does to variables.

    Args:
        update: Reads and assigns `variables`, and no others.
        variables: In the order in which their values are passed.

    Returns:
        A function `(values, *arguments) -> (result, new_values)`. A value that the update
        left alone comes back as the same object.
    """

    def run(values: Sequence[Any], *arguments: Any) -> tuple[Any, list[Any]]:
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            result = update(*arguments)
        new = [scope.get_current_value(variable) for variable in variables]
        return result, [
            old if value is None else value for old, value in zip(values, new, strict=True)
        ]

    return run


def traced_once(update: Callable[..., Any], state: State, key: Hashable, *tensors: Any) -> Any:
    """Calls `update(*tensors)`; in a TensorFlow step, through a function traced once a process.

    Tracing hundreds of operations takes longer than tracing most networks, and it would
    happen in the step for training, in that for validation, and in those of the next model.
    TensorFlow inlines the call when it optimises the step. JAX compiles each step as a whole,
    and PyTorch traces nothing: there, `update` is called directly.

    Args:
        update: Reads and assigns variables of `state`, and no others.
        state: Its variables.
        key: Updates of equal keys do the same to variables of the same shapes.
        tensors: Arguments of `update`.

    Returns:
        The result of `update`: a structure of tensors, or None.
    """
    if keras.backend.backend() != "tensorflow":
        return update(*tensors)
    import tensorflow as tf

    # Outside of a step, images of any size may come and be measured once. Replicas have
    # values of their own, which cannot be passed to a function as one.
    if tf.executing_eagerly() or tf.distribute.has_strategy():
        return update(*tensors)
    key = (key, *((tuple(x.shape), x.dtype) for x in tensors))
    if key not in _traced:
        _traced[key] = tf.function(_changes(update, state.variables), autograph=False)
        while len(_traced) > MAX_CACHED:
            _traced.popitem(last=False)
    _traced.move_to_end(key)
    values = [keras.ops.convert_to_tensor(variable.value) for variable in state.variables]
    result, updated = _traced[key](values, *tensors)
    for variable, value in zip(state.variables, updated, strict=True):
        if value is not None:
            variable.assign(value)
    return result


def _changes(update: Callable[..., Any], variables: list[keras.Variable]) -> Callable[..., Any]:
    """`pure`, with None for each value that the update left alone: no assignment is needed."""
    run = pure(update, variables)

    def changes(values: list[Any], *tensors: Any) -> tuple[Any, list[Any]]:
        result, new = run(values, *tensors)
        return result, [
            None if value is old else value for old, value in zip(values, new, strict=True)
        ]

    return changes


def compiled(update: Callable[..., None], states: Callable[[], list[State]]) -> Callable[..., None]:
    """The update compiled as one function on JAX; on the other backends, the update itself.

    JAX compiles every operation that is called by itself, for every shape: hundreds of
    compilations, which take longer than one of them all.

    Args:
        update: Takes tensors, or structures of them, and assigns only to variables of
            `states()`.
        states: Returns the states that exist at the time of the call.
    """
    if keras.backend.backend() != "jax":
        return update
    import jax

    def variables() -> list[keras.Variable]:
        return [variable for state in states() for variable in state.variables]

    jitted = jax.jit(lambda values, *arguments: pure(update, variables())(values, *arguments)[1])

    def run(*arguments: Any) -> None:
        values = jitted([variable.value for variable in variables()], *arguments)
        for variable, value in zip(variables(), values, strict=True):
            variable.assign(value)

    return run
