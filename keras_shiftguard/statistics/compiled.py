"""Updates of statistics as pure functions, which are traced or compiled once in a process.

The update of a statistic assigns to Keras variables. To trace it (TensorFlow) or to compile it
(JAX) only once for all streams, fits and models, it must be a pure function of the variables'
values. `pure` makes such a function.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras

from keras_shiftguard.statistics.state import State

MAX_CACHED = 64  # functions, of some hundred KiB each

_functions: OrderedDict[Hashable, Any] = OrderedDict()


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


def compiled_once(update: Callable[..., Any], state: State, key: Hashable, *tensors: Any) -> Any:
    """Calls `update(*tensors)` through a function that is compiled once for the process.

    Run one by one, the hundreds of operations of an update take ten times as long on TensorFlow,
    and JAX would compile each of them on its own. PyTorch compiles nothing, so there `update` is
    called directly.

    Args:
        update: Function that reads and assigns variables of `state`, and no others.
        state: The state with the variables.
        key: Key in the cache. Updates with equal keys must do the same to variables of the
            same shapes.
        tensors: Arguments of `update`: tensors, or None.

    Returns:
        The result of `update`: a structure of tensors, or None.
    """
    state.is_empty = False
    backend = keras.backend.backend()
    if backend == "torch":
        return update(*tensors)
    if backend == "tensorflow":
        key = (key, *(_kind(tensor) for tensor in tensors))
    function = _cached(key, lambda: _compiled(update, state.variables))
    return _call(function, state.variables, tensors)


class CompiledUpdate:
    """An update that is called many times, compiled as one function on TensorFlow and JAX.

    Args:
        update: Function that reads and assigns `variables`, and no others.
        variables: The variables.
    """

    def __init__(self, update: Callable[..., Any], variables: Sequence[keras.Variable]) -> None:
        self._update = update
        self._variables = list(variables)
        self._functions: dict[Hashable, Any] = {}

    def __call__(self, *tensors: Any) -> Any:
        """Returns `update(*tensors)`."""
        if keras.backend.backend() == "torch":
            return self._update(*tensors)
        kinds = tuple(_kind(tensor) for tensor in tensors)
        if kinds not in self._functions:
            self._functions[kinds] = _compiled(self._update, self._variables)
        return _call(self._functions[kinds], self._variables, tensors)


def _kind(tensor: Any) -> Hashable:
    """Returns the part of a tensor's shape and dtype for which a function is compiled anew.

    TensorFlow compiles a function for each size of a batch, and the second time for all sizes.
    """
    if tensor is None:
        return None
    shape = tuple(tensor.shape)
    return len(shape), shape[1:] if len(shape) < 3 else (), str(tensor.dtype)


def _compiled(update: Callable[..., Any], variables: Sequence[keras.Variable]) -> Any:
    """Returns `pure(update, variables)` compiled, with None for each value that stays the same."""
    run = pure(update, variables)

    def changes(values: list[Any], *tensors: Any) -> tuple[Any, list[Any]]:
        result, new = run(values, *tensors)
        return result, [
            None if value is old else value for old, value in zip(values, new, strict=True)
        ]

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(changes)
    import tensorflow as tf

    def assigned(held: list[Any], *tensors: Any) -> Any:
        if not isinstance(held[0], tf.Variable):
            return changes(held, *tensors)
        result, new = changes([variable.read_value() for variable in held], *tensors)
        for variable, value in zip(held, new, strict=True):
            if value is not None:
                variable.assign(value)
        return result, [None] * len(held)

    return tf.function(assigned, autograph=False, reduce_retracing=True)


def _call(function: Any, variables: Sequence[keras.Variable], tensors: Sequence[Any]) -> Any:
    """Calls a function of `_compiled` on the present values, and assigns the new ones.

    TensorFlow assigns inside the function, which takes less time than one by one; the variables
    of a strategy, of which each replica has its own, cannot be passed to a function.
    """
    held = [variable.value for variable in variables]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.distribute.has_strategy() or isinstance(held[0], tf.distribute.DistributedValues):
            held = [keras.ops.convert_to_tensor(value) for value in held]
    result, updated = function(held, *tensors)
    for variable, value in zip(variables, updated, strict=True):
        if value is not None:
            variable.assign(value)
    return result


def _cached(key: Hashable, make: Callable[[], Any]) -> Any:
    """Returns the function with this key; makes it if it is not in the cache."""
    if key not in _functions:
        _functions[key] = make()
        while len(_functions) > MAX_CACHED:
            _functions.popitem(last=False)
    _functions.move_to_end(key)
    return _functions[key]
