"""A schedule for costly statistics: updates at every k-th step, inside the compiled step."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_shiftguard.statistics.state import State, assign
from keras_shiftguard.statistics.tracing import pure

# The costly statistics measure at most the first ROWS samples of a batch, and about
# SAMPLES_PER_PASS samples of a pass, spread evenly. From 4,096 samples a mean is known to 1.6 %
# of a standard deviation; finer differences are negligible.
ROWS = 32
SAMPLES_PER_PASS = 4096


def stride_for(steps: int | None, batch_size: int | None = None) -> int:
    """Returns the stride between measured steps, so that a pass is sampled evenly.

    Args:
        steps: Steps of the pass; if None, unknown, every step is measured.
        batch_size: Samples of a step and replica; if None, at least `ROWS` are assumed.

    Example:

    >>> stride_for(390, 128), stride_for(60, 128), stride_for(None)
    (3, 1, 1)
    """
    measured = min(batch_size or ROWS, ROWS)
    return max(1, (steps or 0) * measured // SAMPLES_PER_PASS)


class Occasional:
    """Schedule that runs an update at the first step and at every `stride`-th step after it.

    The stride is a variable, so that the host can change it without a new trace.

    Args:
        stride: Number of steps from one update to the next.
    """

    def __init__(self, stride: int = 1) -> None:
        self.state = State("shiftguard_occasional")
        self.step = self.state.add("step", ())
        self.stride = self.state.add("stride", (), fill=float(stride))
        # PyTorch, which is eager, counts on the host, so that it need not wait for the device.
        self._step, self._stride = 0, stride

    def start(self, stride: int) -> None:
        """Sets the stride, and makes the next step one that is updated. Runs on the host."""
        self._step, self._stride = 0, stride
        assign(self.step, 0.0)
        assign(self.stride, float(stride))

    def run(self, update: Callable[[], None], variables: Sequence[keras.Variable]) -> None:
        """Calls `update` if this step is due. Runs inside the compiled step.

        Args:
            update: Function that assigns to some of `variables`, and to no others.
            variables: All variables that `update` reads or assigns.
        """
        if keras.backend.backend() == "torch":
            if self._step % self._stride == 0:
                update()
            self._step += 1
            return
        due = self.step.value < 0.5
        following = self.step.value + 1.0
        if keras.backend.backend() == "jax":
            _functional(due, update, variables)
        else:
            ops.cond(due, lambda: _updated(update), _nothing)
        self.step.assign(ops.where(following >= self.stride.value, 0.0, following))


def _functional(due: Any, update: Callable[[], None], variables: Sequence[keras.Variable]) -> None:
    """Runs `update` as a condition on values, for JAX.

    Both branches return the values of all variables; XLA does not copy unchanged ones.
    """
    current = [variable.value for variable in variables]

    def updated() -> list[Any]:
        return pure(update, variables)(current)[1]

    for variable, value in zip(variables, ops.cond(due, updated, lambda: current), strict=True):
        variable.assign(value)


def _updated(update: Callable[[], None]) -> Any:
    """Calls `update`, and returns a dummy value."""
    update()
    return _nothing()


def _nothing() -> Any:
    """Returns a dummy value: both branches of `ops.cond` must return the same structure."""
    return ops.zeros(())
