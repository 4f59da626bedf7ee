"""`Scale`: where black and white are in a model's images, so that operations know their range."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops


@dataclass(frozen=True)
class Scale:
    """The values of black and white in images, and their layout.

    Args:
        low: Value of black in each channel, `(channels,)`.
        high: Value of white in each channel, `(channels,)`, above `low`.
        channels_first: Whether the channels are the second axis.
    """

    low: np.ndarray
    high: np.ndarray
    channels_first: bool = False

    @classmethod
    def of(cls, images: np.ndarray, channels_first: bool = False) -> "Scale":
        """Returns the scale of images from their extremes, one range for all channels.

        One range keeps gray images gray.
        """
        low, high = float(images.min()), float(images.max())
        channels = images.shape[1 if channels_first else -1]
        high = high if high > low else low + 1.0
        return cls(
            np.full(channels, low, "float32"), np.full(channels, high, "float32"), channels_first
        )

    def to_unit(self, images: Any) -> Any:
        """Returns images with black at 0 and white at 1, channels last, float32."""
        x = ops.cast(ops.convert_to_tensor(images), "float32")
        x = ops.transpose(x, (0, 2, 3, 1)) if self.channels_first else x
        low, span = self._tensors()
        return (x - low) / span

    def from_unit(self, x: Any) -> Any:
        """Returns images on the scale and in the layout of the model."""
        low, span = self._tensors()
        x = x * span + low
        return ops.transpose(x, (0, 3, 1, 2)) if self.channels_first else x

    def _tensors(self) -> tuple[Any, Any]:
        """Returns black, and white minus black, as tensors."""
        low = ops.convert_to_tensor(self.low, dtype="float32")
        return low, ops.convert_to_tensor(self.high, dtype="float32") - low
