"""`InputCorrection`: the Keras layer that maps the input as fed to the input as expected."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.errors import BadInputError


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class InputCorrection(keras.layers.Layer):
    """Correction layer: reorders the channels of images, then scales and shifts each channel.

    The layer computes `y[c] = x[permutation[c]] * scale[c] + offset[c]` in float32 and returns
    float32, for any dtype of the input. The layer has no weights.

    Args:
        scale: Factor for each output channel, or one for all.
        offset: Offset for each output channel, or one for all.
        permutation: Index of the input channel for each output channel, or None
            to keep the order.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.

    Call arguments:
        inputs: Images, `(batch, height, width, channels)` for
            `"channels_last"`, of any numeric dtype.

    Example:

    >>> import keras_shiftguard as sg
    >>> to_caffe = sg.InputConvention("caffe", "bgr").to_layer()
    >>> x = np.full((1, 2, 2, 3), 255, dtype="uint8")
    >>> np.asarray(to_caffe(x), dtype="float64")[0, 0, 0].round(3).tolist()
    [151.061, 138.221, 131.32]
    """

    def __init__(
        self,
        scale: float | tuple[float, ...] = 1.0,
        offset: float | tuple[float, ...] = 0.0,
        permutation: tuple[int, ...] | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trainable", False)
        # The layer keeps float32 under a mixed policy, because half precision would round its
        # results and the fractional pixels of resized images; autocast would do so before `call`.
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        self.scale = _plain(scale)
        self.offset = _plain(offset)
        self.permutation = None if permutation is None else tuple(int(i) for i in permutation)
        self.data_format = keras.config.image_data_format() if data_format is None else data_format
        if self.data_format not in ("channels_last", "channels_first"):
            raise BadInputError(
                "`data_format` must be 'channels_last' or 'channels_first'. "
                f"Received: data_format={data_format!r}"
            )
        self.built = True  # there are no weights to build

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32")
        axis = 1 if self.data_format == "channels_first" else -1
        if self.permutation is not None:
            x = ops.take(x, ops.convert_to_tensor(self.permutation, dtype="int32"), axis=axis)
        return x * self._by_channel(self.scale, x) + self._by_channel(self.offset, x)

    def _by_channel(self, values: float | tuple[float, ...], x: Any) -> Any:
        tensor = ops.convert_to_tensor(np.asarray(values, dtype="float32"))
        if np.ndim(values) and self.data_format == "channels_first":
            return ops.reshape(tensor, (-1,) + (1,) * (len(x.shape) - 2))
        return tensor

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "offset": self.offset,
            "permutation": self.permutation,
            "data_format": self.data_format,
        }


def _plain(values: float | tuple[float, ...]) -> float | tuple[float, ...]:
    flat = tuple(float(value) for value in np.ravel(values))
    return flat[0] if np.ndim(values) == 0 else flat
