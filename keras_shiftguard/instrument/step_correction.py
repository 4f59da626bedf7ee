"""`StepCorrection`: correction of an image input in a fit, which the host switches on and off."""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.state import State, assign
from keras_shiftguard.statistics.compiled import compiled_once


class StepCorrection:
    """Maps an image batch to `x * gain + bias`, and reverses the channels before if set so.

    The correction starts switched off. While it is off, the values stay the same: on TensorFlow
    they are cast to float32, on the other backends the batch itself is returned. The switch,
    gain and bias are variables because a compiled step ignores Python attributes that change
    after tracing.

    Args:
        spec: The image input to correct.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.state = State("shiftguard_correction")
        self.on = self.state.add("on", ())
        self.reverse = self.state.add("reverse", ())
        self.gain = self.state.add("gain", (spec.channels,), fill=1.0)
        self.bias = self.state.add("bias", (spec.channels,))
        # A copy of `on` on the host, so that code beside the step need not read the device.
        self.is_on = False

    def __call__(self, x: Any) -> Any:
        if not self.is_on:
            return x
        key = ("correction", self.spec.layout, self.spec.channels)
        return compiled_once(self._corrected, self.state, key, x)

    def _corrected(self, x: Any) -> Any:
        x = ops.cast(x, "float32")
        channels_first = self.spec.layout == "channels_first"
        shape = (-1, 1, 1) if channels_first else (-1,)
        reversed_ = ops.flip(x, axis=1 if channels_first else -1)
        y = ops.where(self.reverse > 0, reversed_, x)
        y = y * ops.reshape(self.gain.value, shape) + ops.reshape(self.bias.value, shape)
        return ops.where(self.on > 0, y, x)

    def switch_on(self, permutation: tuple[int, ...] | None, scale: Any, offset: Any) -> None:
        """Corrects the input from the next step on. The host calls it, outside of any step.

        Args:
            permutation: None keeps the order of the channels. Any other value reverses it:
                that is the only reordering that a correction makes.
            scale: Factor of each channel, `(channels,)`.
            offset: Number added to each channel after the factor, `(channels,)`.
        """
        assign(self.reverse, 0.0 if permutation is None else 1.0)
        assign(self.gain, scale)
        assign(self.bias, offset)
        assign(self.on, 1.0)
        self.is_on = True

    def switch_off(self) -> None:
        """Leaves the input as it is from the next step on."""
        assign(self.on, 0.0)
        self.is_on = False
