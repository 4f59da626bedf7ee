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


def traced_once(update: Callable[..., Any], state: State, key: Hashable, *tensors: Any) -> Any:
    """Calls `update(*tensors)` through a function that is cached for the process.

    In a TensorFlow step the function is traced once. Otherwise the hundreds of operations of an
    update, which take longer to trace than most networks, would be traced again for the training
    step, for the validation step, and for the steps of the next model. TensorFlow inlines the
    call when it optimises the step. On JAX, where updates run beside the step, the function is
    compiled once for each shape of the tensors; otherwise JAX would compile every operation on
    its own. PyTorch compiles nothing, so there `update` is called directly.

    Args:
        update: Function that reads and assigns variables of `state`, and no others.
        state: The state with the variables.
        key: Key in the cache. Updates with equal keys must do the same to variables of the
            same shapes.
        tensors: Arguments of `update`: tensors, or None.

    Returns:
        The result of `update`: a structure of tensors, or None.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        return update(*tensors)
    variables = state.variables
    if backend == "jax":
        import jax

        function = _cached(key, lambda: jax.jit(_changes(update, variables)))
        values = [variable.value for variable in variables]
    else:
        import tensorflow as tf

        # Outside of a step, tracing does not pay: images may have many sizes, each measured once.
        # Under a strategy, each replica has values of its own, which cannot be passed as arguments.
        if tf.distribute.has_strategy():
            return update(*tensors)
        shapes = tuple(None if x is None else (tuple(x.shape), x.dtype) for x in tensors)
        function = _cached(
            (key, shapes), lambda: tf.function(_changes(update, variables), autograph=False)
        )
        values = [keras.ops.convert_to_tensor(variable.value) for variable in variables]
    result, updated = function(values, *tensors)
    _assign(variables, updated)
    return result


class CompiledUpdate:
    """An update that is called many times; on JAX it is compiled as one function.

    Args:
        update: Function that reads and assigns `variables`, and no others.
        variables: The variables.
    """

    def __init__(self, update: Callable[..., Any], variables: Sequence[keras.Variable]) -> None:
        self._update = update
        self._variables = list(variables)
        self._function: Any = None

    def __call__(self, *tensors: Any) -> Any:
        """Returns `update(*tensors)`."""
        if keras.backend.backend() != "jax":
            return self._update(*tensors)
        if self._function is None:
            import jax

            self._function = jax.jit(_changes(self._update, self._variables))
        result, updated = self._function([v.value for v in self._variables], *tensors)
        _assign(self._variables, updated)
        return result


def _cached(key: Hashable, make: Callable[[], Any]) -> Any:
    """Returns the function with this key; makes it if it is not in the cache."""
    if key not in _functions:
        _functions[key] = make()
        while len(_functions) > MAX_CACHED:
            _functions.popitem(last=False)
    _functions.move_to_end(key)
    return _functions[key]


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    """Assigns each value to its variable; None leaves a variable as it is."""
    for variable, value in zip(variables, values, strict=True):
        if value is not None:
            variable.assign(value)


def _changes(update: Callable[..., Any], variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """Returns `pure(update, variables)` with None for each value that needs no assignment."""
    run = pure(update, variables)

    def changes(values: list[Any], *tensors: Any) -> tuple[Any, list[Any]]:
        result, new = run(values, *tensors)
        return result, [
            None if value is old else value for old, value in zip(values, new, strict=True)
        ]

    return changes
