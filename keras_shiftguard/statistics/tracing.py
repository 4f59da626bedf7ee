"""Pure functions from updates of variables, to trace or compile an update only once.

The update of a statistic assigns to Keras variables. To trace it (TensorFlow) or compile it
(JAX) apart from the step, a function of values is needed, which `pure` makes. `traced_once`
and `compiled` use it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras

from keras_shiftguard.statistics.state import State

MAX_CACHED = 64  # traced functions; each takes some hundred KiB

_traced: OrderedDict[Hashable, Any] = OrderedDict()


def pure(
    update: Callable[..., Any], variables: Sequence[keras.Variable]
) -> Callable[..., tuple[Any, list[Any]]]:
    """Returns an update as a pure function of the values of its variables.

    Args:
        update: Function that reads and assigns `variables`, and no others.
        variables: The variables, in the order in which their values are passed.

    Returns:
        A function `(values, *arguments) -> (result, new_values)`. The value of a variable
        that the update did not assign is returned as the same object.
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
    """Calls `update(*tensors)`; in a TensorFlow step, through a cached traced function.

    The function is traced once a process. Tracing the hundreds of operations of an update
    takes longer than tracing most networks, and it would be repeated for the training step,
    for the validation step, and for those of the next model. TensorFlow inlines the call when
    it optimises the step. JAX compiles each step as a whole, and PyTorch traces nothing, so
    there `update` is called directly.

    Args:
        update: Function that reads and assigns variables of `state`, and no others.
        state: The state with the variables.
        key: Key in the cache. Updates with equal keys must do the same to variables of the
            same shapes.
        tensors: Arguments of `update`.

    Returns:
        The result of `update`: a structure of tensors, or None.
    """
    if keras.backend.backend() != "tensorflow":
        return update(*tensors)
    import tensorflow as tf

    # Outside of a step there may be images of many sizes, each measured only once. Under a
    # strategy, each replica has a value of its own, and they cannot be passed as one argument.
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
    """Returns `pure(update, variables)` with None for each value that needs no assignment."""
    run = pure(update, variables)

    def changes(values: list[Any], *tensors: Any) -> tuple[Any, list[Any]]:
        result, new = run(values, *tensors)
        return result, [
            None if value is old else value for old, value in zip(values, new, strict=True)
        ]

    return changes


def compiled(update: Callable[..., None], states: Callable[[], list[State]]) -> Callable[..., None]:
    """Returns the update compiled as one function on JAX; on other backends, the update itself.

    Without this, JAX compiles every operation on its own for every shape: hundreds of
    compilations, which take longer than a single one of the whole update.

    Args:
        update: Function that takes tensors, or structures of them, and assigns only to
            variables of `states()`.
        states: Function that returns the states that exist at the time of the call.
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
