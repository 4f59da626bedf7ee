"""The variables in which the step accumulates, and how the host reads them."""

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
    """States made in here are updated from the host, outside of any step.

    Inside of a TensorFlow strategy's scope such an update reaches every replica,
    so each of them holds all of it, and only one counts.
    """
    token = _BY_THE_HOST.set(True)
    try:
        yield
    finally:
        _BY_THE_HOST.reset(token)


class State:
    """Named float32 variables that can be read for each replica, and reset.

    Every replica of a distributed step keeps its own (`"on_read"`, never
    aggregated); the host merges them like any other pieces. So a statistic
    need not be a plain sum: extremes and pivots work as well.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._by_the_host = _BY_THE_HOST.get()
        self._variables: dict[str, tuple[keras.Variable, float]] = {}

    def add(self, name: str, shape: tuple[int, ...], fill: float = 0.0) -> keras.Variable:
        """A new variable that starts, and restarts, at `fill`."""
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
        """The values, as float64, one mapping for each replica that counted apart."""
        by_name = {name: read_replicas(variable) for name, (variable, _) in self._variables.items()}
        replicas = len(next(iter(by_name.values()), []))
        replicas = min(replicas, 1) if self._by_the_host else replicas
        return [{name: values[i] for name, values in by_name.items()} for i in range(replicas)]

    def reset(self) -> None:
        for variable, fill in self._variables.values():
            assign(variable, fill)


def assign(variable: keras.Variable, value: Any) -> None:
    """Gives a variable a value that every process of the training knows, from the host.

    Args:
        variable: On JAX perhaps spread over several processes.
        value: A number or an array, the same in all of them. Keras would have them
            compare it, and so wait for each other.
    """
    value = np.broadcast_to(np.asarray(value, dtype=variable.dtype), tuple(variable.shape))
    if keras.backend.backend() == "jax" and not variable.value.is_fully_addressable:
        import jax

        where = variable.value.sharding
        value = jax.make_array_from_callback(value.shape, where, lambda index: value[index])
    variable.assign(value)


def read_replicas(variable: keras.Variable) -> list[np.ndarray]:
    """A variable's value on each replica, copied to the host as float64."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        values = tf.distribute.get_strategy().experimental_local_results(variable.value)
        # Outside of the strategy's scope a replicated variable comes back
        # whole; its parts are what `values` lists.
        if len(values) == 1:
            values = getattr(values[0], "values", values)
        return [np.asarray(value, dtype="float64") for value in values]
    return [np.asarray(ops.convert_to_numpy(variable.value), dtype="float64")]
