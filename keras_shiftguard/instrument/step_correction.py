"""The correction inside the step: off until the host assigns its variables."""

from typing import Any

from keras import ops

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.state import State, assign


class StepCorrection:
    """Reverses the channels if told to, then `x * gain + bias`.

    A Python attribute changed after tracing is ignored, an assigned variable
    is not: strength, gain and bias are variables. While it is off the very
    same numbers pass through.

    Args:
        spec: The image input that it stands before.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.state = State("shiftguard_correction")
        self.on = self.state.add("on", ())
        self.reverse = self.state.add("reverse", ())
        self.gain = self.state.add("gain", (spec.channels,), fill=1.0)
        self.bias = self.state.add("bias", (spec.channels,))

    def __call__(self, x: Any) -> Any:
        x = ops.cast(x, "float32")
        first = self.spec.layout == "channels_first"
        shape = (-1, 1, 1) if first else (-1,)
        reversed_ = ops.flip(x, axis=1 if first else -1)
        y = ops.where(self.reverse > 0, reversed_, x)
        y = y * ops.reshape(self.gain.value, shape) + ops.reshape(self.bias.value, shape)
        return ops.where(self.on > 0, y, x)

    def switch_on(self, permutation: tuple[int, ...] | None, scale: Any, offset: Any) -> None:
        """From the next step on, map the input so. Runs on the host."""
        assign(self.reverse, 0.0 if permutation is None else 1.0)
        assign(self.gain, scale)
        assign(self.bias, offset)
        assign(self.on, 1.0)

    def switch_off(self) -> None:
        assign(self.on, 0.0)
