"""What runs at every k-th step only, inside the compiled step."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_shiftguard.statistics.state import State, assign
from keras_shiftguard.statistics.tracing import pure

# The costly statistics look at so many samples of a batch at most, and, spread
# evenly, at about so many of a pass. At 4,096 samples a mean is known to 1.6 %
# of a standard deviation: finer differences are negligible.
ROWS = 32
SAMPLES_PER_PASS = 4096


def stride_for(steps: int | None, batch_size: int | None = None) -> int:
    """At every how many-th step to look, so that a pass is sampled evenly.

    Args:
        steps: Steps of the pass; None if unknown, which means every step.
        batch_size: Samples of a step and replica; `ROWS` or more if unknown.

    Example:

    >>> stride_for(390, 128), stride_for(60, 128), stride_for(None)
    (3, 1, 1)
    """
    looked_at = min(batch_size or ROWS, ROWS)
    return max(1, (steps or 0) * looked_at // SAMPLES_PER_PASS)


class Occasional:
    """A turn that comes at the first step and at every `stride`-th after it.

    The stride is a variable: the host may change it without a new trace.
    """

    def __init__(self, stride: int = 1) -> None:
        self.state = State("shiftguard_occasional")
        self.step = self.state.add("step", ())
        self.stride = self.state.add("stride", (), fill=float(stride))
        # PyTorch, being eager, counts here and need not wait for the device.
        self._step, self._stride = 0, stride

    def start(self, stride: int) -> None:
        """Makes the next step a turn, and sets the stride. Runs on the host."""
        self._step, self._stride = 0, stride
        assign(self.step, 0.0)
        assign(self.stride, float(stride))

    def run(self, update: Callable[[], None], variables: Sequence[keras.Variable]) -> None:
        """Calls `update` if it is its turn. Runs inside the compiled step.

        Args:
            update: Assigns to some of `variables`, and to no others.
            variables: All that `update` reads or assigns.
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
            ops.cond(due, lambda: _then_nothing(update), _nothing)
        self.step.assign(ops.where(following >= self.stride.value, 0.0, following))


def _functional(due: Any, update: Callable[[], None], variables: Sequence[keras.Variable]) -> None:
    """Both branches give all values; XLA passes those that stay in place."""
    current = [variable.value for variable in variables]

    def updated() -> list[Any]:
        return pure(update, variables)(current)[1]

    for variable, value in zip(variables, ops.cond(due, updated, lambda: current), strict=True):
        variable.assign(value)


def _then_nothing(update: Callable[[], None]) -> Any:
    update()
    return _nothing()


def _nothing() -> Any:
    """What both branches of a conditional give that is there for its effect."""
    return ops.zeros(())
