"""Updates outside of a training step: on JAX, compiled as one."""

from collections.abc import Callable
from typing import Any

import keras

from keras_shiftguard.statistics.state import State


def compiled(update: Callable[..., None], states: Callable[[], list[State]]) -> Callable[..., None]:
    """The same update, made fast where calling operation by operation is slow.

    JAX compiles every operation that is called by itself, for every shape:
    hundreds of compilations, which take longer than one of them all. The other
    backends run at once what they are told.

    Args:
        update: Takes tensors, or structures of them, and assigns to variables
            of `states()` only.
        states: Gives the states that exist by now.
    """
    if keras.backend.backend() != "jax":
        return update
    import jax

    def pure(values: list[Any], *arguments: Any) -> list[Any]:
        variables = [v for state in states() for v in state.variables]
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            update(*arguments)
        new = [scope.get_current_value(variable) for variable in variables]
        return [old if n is None else n for old, n in zip(values, new, strict=True)]

    jitted = jax.jit(pure)

    def run(*arguments: Any) -> None:
        variables = [v for state in states() for v in state.variables]
        for variable, value in zip(
            variables, jitted([v.value for v in variables], *arguments), strict=True
        ):
            variable.assign(value)

    return run
