"""`State`: the variables in which a statistic accumulates, and how the host reads them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
from keras import ops

_BY_THE_HOST = ContextVar("updated by the host", default=False)


@contextmanager
def updated_by_the_host() -> Iterator[None]:
    """Context in which new states are marked as updated by the host, outside of any step.

    In the scope of a TensorFlow strategy such an update is made on every replica. So each
    replica holds the full sums, and only one replica is read.
    """
    token = _BY_THE_HOST.set(True)
    try:
        yield
    finally:
        _BY_THE_HOST.reset(token)


class State:
    """Named float32 variables that can be read for each replica, and reset.

    Every replica of a distributed step has values of its own, which TensorFlow never
    aggregates (`"on_read"`). The host merges the summaries made from them. So a statistic
    need not be a plain sum: extremes and pivots work as well.

    Args:
        prefix: Prefix of the names of the variables.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._by_the_host = _BY_THE_HOST.get()
        self._variables: dict[str, tuple[keras.Variable, float]] = {}
        self.is_empty = True  # all variables have their initial values

    def add(self, name: str, shape: tuple[int, ...], fill: float = 0.0) -> keras.Variable:
        """Creates a variable with the initial value `fill`, to which `reset` returns it."""
        variable = keras.Variable(
            initializer=np.full(shape, fill, dtype="float32"),
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            synchronization="on_read",
            name=f"{self._prefix}_{name}",
        )
        self._variables[name] = (variable, fill)
        return variable

    @property
    def variables(self) -> list[keras.Variable]:
        return [variable for variable, _ in self._variables.values()]

    def read(self) -> list[Mapping[str, np.ndarray]]:
        """Returns the values by name, float64: one mapping for each replica with its own sums."""
        by_name = {name: read_replicas(variable) for name, (variable, _) in self._variables.items()}
        replicas = len(next(iter(by_name.values()), []))
        replicas = min(replicas, 1) if self._by_the_host else replicas
        return [{name: values[i] for name, values in by_name.items()} for i in range(replicas)]

    def reset(self) -> None:
        if self.is_empty:
            return
        self.is_empty = True
        for variable, fill in self._variables.values():
            assign(variable, fill)


def assign(variable: keras.Variable, value: Any) -> None:
    """Assigns a value from the host to a variable, even if several processes share it.

    On JAX, an assignment by Keras makes the processes compare the value, and so wait for
    each other. This function does not.

    Args:
        variable: The variable; on JAX it may be spread over several processes.
        value: A number or an array, the same in all processes.
    """
    value = np.broadcast_to(np.asarray(value, dtype=variable.dtype), tuple(variable.shape))
    if keras.backend.backend() == "jax" and not variable.value.is_fully_addressable:
        import jax

        sharding = variable.value.sharding
        value = jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])
    variable.assign(value)


def read_replicas(variable: keras.Variable) -> list[np.ndarray]:
    """Returns a variable's value on each replica, copied to the host as float64."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        values = tf.distribute.get_strategy().experimental_local_results(variable.value)
        # Outside of the strategy's scope, a replicated variable is returned as one object,
        # whose attribute `values` lists the replicas.
        if len(values) == 1:
            values = getattr(values[0], "values", values)
        return [np.asarray(value, dtype="float64") for value in values]
    return [np.asarray(ops.convert_to_numpy(variable.value), dtype="float64")]


def on_host(x: Any) -> np.ndarray:
    """Returns a tensor as a NumPy array, even if JAX spreads it over several processes."""
    if keras.backend.backend() == "jax" and not getattr(x, "is_fully_addressable", True):
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(x, tiled=True))
    return np.asarray(ops.convert_to_numpy(x))
