"""`StepCorrection`: correction of an image input in a fit, which can be switched on and off."""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec


class StepCorrection:
    """Maps an image batch to `x * gain + bias`, after reversing the channels if necessary.

    At first the correction is switched off. While it is off, the batch itself is returned.
    """

    def __init__(self, spec: InputSpec) -> None:
        self._channels_first = spec.layout == "channels_first"
        self.is_on = False
        # What the correction does, for comparison with other streams' corrections; None if off.
        self.key: tuple[Any, ...] | None = None
        self._reverses = False
        self._gain: Any = None
        self._bias: Any = None

    def __call__(self, x: Any) -> Any:
        if not self.is_on:
            return x
        x = ops.cast(x, "float32")
        if self._reverses:
            x = ops.flip(x, axis=1 if self._channels_first else -1)
        return x * self._gain + self._bias

    def switch_on(self, permutation: tuple[int, ...] | None, scale: Any, offset: Any) -> None:
        """Corrects the input from the next batch on.

        Args:
            permutation: None keeps the order of the channels. Any other value reverses the order,
                which is the only reordering that a correction makes.
            scale: Factor of each channel, `(channels,)`.
            offset: Number added to each channel after the factor, `(channels,)`.
        """
        shape = (-1, 1, 1) if self._channels_first else (-1,)
        self._reverses = permutation is not None
        self._gain, self._bias = (
            ops.reshape(ops.convert_to_tensor(value, "float32"), shape) for value in (scale, offset)
        )
        self.is_on = True
        self.key = (self._reverses, *(tuple(np.ravel(each).tolist()) for each in (scale, offset)))

    def switch_off(self) -> None:
        """Leaves the input unchanged from the next batch on."""
        self.is_on, self.key = False, None
