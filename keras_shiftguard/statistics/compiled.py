"""Updates of statistics, compiled once in a process.

An update assigns to Keras variables. An update can be compiled once for all streams, fits and
models only if it is a pure function of the variables' values. `pure` makes such a function.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from threading import Lock
from typing import Any

import keras
import numpy as np

from keras_shiftguard.statistics.state import State

MAX_CACHED = 512  # number of compiled updates; each takes some hundred KiB. A convention.

_updates: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()
_lock = Lock()  # for `_updates`


def pure(
    update: Callable[..., Any], variables: Sequence[keras.Variable]
) -> Callable[..., tuple[Any, list[Any]]]:
    """Returns an update as a pure function of the values of its variables.

    The update reads and assigns these variables, and no others. The result is a function `(values,
    *arguments) -> (result, new_values)`. The value of a variable that the update did not assign is
    returned as the same object.
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

    Without compilation, the hundreds of operations of an update take ten times as long on
    TensorFlow, and JAX would compile each operation separately. On PyTorch nothing is compiled. The
    update reads and assigns variables of `state`, and no others. Updates with equal keys must do
    the same to variables of the same shapes. The tensors may be None.
    """
    if keras.backend.backend() == "torch":
        return _in_one_thread(update, *tensors)
    with _lock:  # two models may be evaluated in two threads
        if key not in _updates:
            _updates[key] = _compiled(update, state.variables)
            while len(_updates) > MAX_CACHED:
                _updates.popitem(last=False)
        _updates.move_to_end(key)
        compiled = _updates[key]
    return compiled(state.variables, *tensors)


def drained(state: State) -> dict[str, np.ndarray]:
    """Returns the values of a state, as `State.read` does, and resets the state.

    On TensorFlow, one compiled function does both. To read and assign some forty variables one by
    one takes 5 ms, at the end of each pass over the data.
    """
    if keras.backend.backend() != "tensorflow":
        values = state.read()
        state.reset()
        return values

    first_values = state.first_values

    def take() -> list[Any]:
        values = [variable.value for variable in state.variables]
        for variable, (_, shape, fill) in zip(state.variables, first_values, strict=True):
            variable.assign(keras.ops.full(shape, fill, dtype="float32"))
        return values

    taken = compiled_once(take, state, ("drained", first_values))
    return {
        name: np.asarray(keras.ops.convert_to_numpy(value), dtype="float64")
        for (name, _, _), value in zip(first_values, taken, strict=True)
    }


def _in_one_thread(update: Callable[..., Any], *tensors: Any) -> Any:
    """Returns `update(*tensors)`, computed by PyTorch in one thread of the CPU.

    An update has hundreds of short operations. With several threads, PyTorch waits for all of them
    after each operation. If other processes use the cores as well, that takes ten times as long.
    """
    import torch

    threads = torch.get_num_threads()
    if threads == 1:
        return update(*tensors)
    torch.set_num_threads(1)
    try:
        return update(*tensors)
    finally:
        torch.set_num_threads(threads)


class CompiledUpdate:
    """An update that is called many times, compiled as one function on TensorFlow and JAX.

    The update reads and assigns these variables, and no others.
    """

    def __init__(self, update: Callable[..., Any], variables: Sequence[keras.Variable]) -> None:
        self._update = update
        self._variables = list(variables)
        self._function: Callable[..., Any] | None = None

    def __call__(self, *tensors: Any) -> Any:
        """Returns `update(*tensors)`."""
        if keras.backend.backend() == "torch":
            return self._update(*tensors)
        if self._function is None:
            self._function = _compiled(self._update, self._variables)
        return self._function(self._variables, *tensors)


def _compiled(update: Callable[..., Any], variables: Sequence[keras.Variable]) -> Any:
    """Returns a compiled `(variables, *tensors) -> result`, for variables of the same shapes."""
    run = pure(update, variables)

    def changes(values: Sequence[Any], *tensors: Any) -> tuple[Any, list[Any]]:
        """Returns the result, and the new values; None for a variable that stays the same."""
        result, new = run(values, *tensors)
        return result, [
            None if value is old else value for old, value in zip(values, new, strict=True)
        ]

    if keras.backend.backend() == "tensorflow":
        return _TensorFlowUpdate(changes)
    import jax

    function = jax.jit(changes, **_jax_options())

    def call(variables: Sequence[keras.Variable], *tensors: Any) -> Any:
        result, new = function([variable.value for variable in variables], *tensors)
        _assign(variables, new)
        return result

    return call


# Options for the compiler of JAX on a CPU. They halve the time to compile the update for images of
# 32x32 pixels, which is 6 seconds without them, and the update is equally fast; to measure it, see
# `examples/benchmarks/fit_cost.py`. The steps of a model are compiled without these options.
JAX_OPTIONS = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


@cache
def _jax_options() -> dict[str, Any]:
    """Returns the arguments of `jax.jit` for updates.

    The result is empty on devices other than a CPU, if the user has set the optimization level in
    `XLA_FLAGS`, or if JAX does not accept the options.
    """
    import jax

    is_set = "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", "")
    if is_set or jax.default_backend() != "cpu":
        return {}
    arguments: dict[str, Any] = {"compiler_options": JAX_OPTIONS}
    try:
        jax.jit(lambda x: x + 1, **arguments)(0)
    except Exception:  # a JAX version without the argument, or without one of the options
        return {}
    return arguments


class _TensorFlowUpdate:
    """An update as TensorFlow functions, each for batches of any number of samples.

    After images or sequences of two sizes were passed, one function for any size is used. So the
    number of functions stays small. `changes` is a function `(values, *tensors) -> (result, new
    values)`.
    """

    def __init__(self, changes: Callable[..., Any]) -> None:
        self._changes = changes
        self._functions: dict[Hashable, Any] = {}
        # For each argument and rank above 2, the shape so far, with None for each dimension that
        # has varied. Tensors of rank 2 are left out: they have a fixed number of columns.
        self._shapes: dict[tuple[int, int], list[int | None]] = {}

    def __call__(self, variables: Sequence[keras.Variable], *tensors: Any) -> Any:
        import tensorflow as tf

        held = [variable.value for variable in variables]
        # Under a distribution strategy, each replica has its own copy of a variable, and such
        # variables cannot be passed to a function. Their values can be passed, but then the new
        # values must be assigned one by one, which takes longer.
        if tf.distribute.has_strategy() or isinstance(held[0], tf.distribute.DistributedValues):
            values = [keras.ops.convert_to_tensor(value) for value in held]
            result, new = self._function(self._changes, values, tensors)(values, *tensors)
            _assign(variables, new)
            return result
        return self._function(self._assigned, held, tensors)(held, *tensors)

    def _assigned(self, variables: Sequence[Any], *tensors: Any) -> Any:
        """Assigns the new values to TensorFlow variables, and returns the result."""
        result, new = self._changes([v.read_value() for v in variables], *tensors)
        _assign(variables, new)
        return result

    def _function(self, run: Any, held: Sequence[Any], tensors: Sequence[Any]) -> Any:
        """Returns `run` as a TensorFlow function for the shapes and dtypes of `tensors`."""
        import tensorflow as tf

        specs = tuple(self._spec(i, tensor) for i, tensor in enumerate(tensors))
        key = (run == self._changes, specs)
        if key not in self._functions:
            function = tf.function(run, autograph=False)
            self._functions[key] = function.get_concrete_function(held, *specs)
        return self._functions[key]

    def _spec(self, argument: int, tensor: Any) -> Any:
        import tensorflow as tf

        if tensor is None:
            return None
        shape = [None, *tensor.shape[1:]] if len(tensor.shape) else []
        if len(shape) > 2:
            known = self._shapes.get((argument, len(shape)), shape)
            shape = [one if one == other else None for one, other in zip(known, shape, strict=True)]
            self._shapes[argument, len(shape)] = shape
        return tf.TensorSpec(shape, tensor.dtype)


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Assigns each value to its variable; None leaves a variable as it is."""
    for variable, value in zip(variables, values, strict=True):
        if value is not None:
            variable.assign(value)
