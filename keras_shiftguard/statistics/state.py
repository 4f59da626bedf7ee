"""`State`: the variables in which a statistic accumulates, and how the host reads them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops


class State:
    """Named float32 variables that are read and reset together.

    Batches are measured outside of the step, once for all replicas. So the variables do not
    belong to a TensorFlow strategy, even if they are created in its scope.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._variables: dict[str, tuple[keras.Variable, float]] = {}
        # The values that `reset` assigns, as tensors. To create them anew would make `reset` slow.
        self._filled: dict[tuple[tuple[int, ...], float], Any] = {}

    def add(self, name: str, shape: tuple[int, ...], fill: float = 0.0) -> keras.Variable:
        """Creates a variable with the value `fill`, which `reset` assigns again."""

        def create() -> keras.Variable:
            return keras.Variable(
                initializer=np.full(shape, fill, dtype="float32"),
                dtype="float32",
                trainable=False,
                autocast=False,
                name=f"{self._prefix}_{name}",
            )

        variable = _outside_of_strategies(create)
        self._variables[name] = (variable, fill)
        return variable

    @property
    def variables(self) -> list[keras.Variable]:
        return [variable for variable, _ in self._variables.values()]

    @property
    def first_values(self) -> tuple[tuple[str, tuple[int, ...], float], ...]:
        """Name, shape and first value of each variable."""
        return tuple(
            (name, tuple(variable.shape), fill)
            for name, (variable, fill) in self._variables.items()
        )

    def read(self) -> dict[str, np.ndarray]:
        """Returns the values by name, copied to the host as float64."""
        return {name: read(variable) for name, (variable, _) in self._variables.items()}

    def reset(self) -> None:
        """Assigns to each variable the value that it was created with."""
        for variable, fill in self._variables.values():
            if _is_shared(variable):
                assign(variable, fill)
                continue
            key = (tuple(variable.shape), fill)
            if key not in self._filled:
                self._filled[key] = ops.full(*key, dtype="float32")
            variable.assign(self._filled[key])


def _outside_of_strategies(create: Callable[[], keras.Variable]) -> keras.Variable:
    """Returns `create()`, called outside of the scope of any TensorFlow strategy.

    TensorFlow has no public way to leave a scope, but a scope belongs to a thread.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.distribute.has_strategy():
            with ThreadPoolExecutor(1) as other_thread:
                return other_thread.submit(create).result()
    return create()


def untrained(layer: Any, name: str, value: Any, aggregation: str = "only_first_replica") -> Any:
    """Adds a float32 weight to a layer that training does not change; `value` is its first one."""
    value = np.asarray(value, "float32")
    return layer.add_weight(
        name=name,
        shape=value.shape,
        dtype="float32",
        initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype="float32"),
        trainable=False,
        autocast=False,
        aggregation=aggregation,
    )


def assign(variable: keras.Variable, value: Any) -> None:
    """Assigns a value from the host to a variable, even if several processes share it.

    On JAX, an assignment by Keras makes the processes compare the value, so that they wait for each
    other. This function assigns without such a comparison. The value is the same in all processes.
    """
    value = np.broadcast_to(np.asarray(value, dtype=variable.dtype), tuple(variable.shape))
    if _is_shared(variable):
        import jax

        sharding = variable.value.sharding
        value = jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])
    variable.assign(value)


def _is_shared(variable: keras.Variable) -> bool:
    """Whether a variable of JAX is spread over several processes."""
    return keras.backend.backend() == "jax" and not variable.value.is_fully_addressable


def read(variable: keras.Variable) -> np.ndarray:
    """Returns the value of a variable, on the first replica if there are several, as float64."""
    value = variable.value
    if keras.backend.backend() == "tensorflow":
        # Outside of the scope of its strategy, a replicated variable lists its replicas.
        value = ops.convert_to_tensor(getattr(value, "values", [value])[0])
    return np.asarray(ops.convert_to_numpy(value), dtype="float64")


def on_host(x: Any) -> np.ndarray:
    """Returns a tensor or variable as a NumPy array, even if JAX spreads it over processes."""
    if isinstance(x, keras.Variable):
        x = ops.convert_to_tensor(x)  # NumPy warns of a variable that it cannot copy it
    if keras.backend.backend() == "jax" and not getattr(x, "is_fully_addressable", True):
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(x, tiled=True))
    return np.asarray(ops.convert_to_numpy(x))
