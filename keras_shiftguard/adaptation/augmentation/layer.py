"""`AdaptiveAugmentation`: an image augmentation layer that stores its strengths as weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.selection import select_operations
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.operations.random_numbers import drawn_seed
from keras_shiftguard.statistics.state import on_host, untrained


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class AdaptiveAugmentation(keras.layers.Layer):
    """Random augmentation layer whose strengths may change while a model trains.

    All strengths are zero at first, and at zero the layer returns its input
    unchanged. The strengths are weights: they can be set at any time, by hand or
    by an `AugmentationController`, without a new compilation of the training step. Half of
    the samples stay as they are. Each of the others gets a random share of the
    full strength, the same share for all operations. In inference the layer does
    nothing.

    `ShiftGuard(adapt=True)` applies the same augmentation to a model without this
    layer.

    Args:
        operations: Names of the operations that may be used. None means all
            operations that cannot make a label wrong: all but
            `"flip_horizontal"` and `"flip_vertical"`. `"fourier"` and `"histogram"`
            need images of the target, which only `ShiftGuard(adapt=True)` has.
        value_range: The values of black and white in the images, e.g. (0, 255);
            each is a number, or one number for each channel. None means the
            extremes of the images seen in training so far.
        fill_mode: How pixels beyond the border are filled: `"reflect"`,
            `"nearest"`, `"wrap"` or `"constant"`.
        fill_value: The value used by `"constant"`, on the scale of the images.
        seed: Seed of the random numbers. None takes a random seed.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.

    Call arguments:
        inputs: Images of any numeric dtype, 4D.
        training: Whether to augment.

    Output shape:
        The shape of the input; the dtype is the layer's compute dtype.

    Raises:
        BadInputError: For an unknown operation or `fill_mode`, or a `value_range`
            whose black is not below its white. The error is also raised when the
            layer is built with an unknown number of channels.

    Example:

    >>> layer = AdaptiveAugmentation(value_range=(0, 1), seed=1)
    >>> images = np.random.default_rng(0).random((8, 16, 16, 3)).astype("float32")
    >>> bool(np.all(keras.ops.convert_to_numpy(layer(images, training=True)) == images))
    True
    >>> layer.set_strengths({"noise": 0.2})
    >>> noisy = keras.ops.convert_to_numpy(layer(images, training=True))
    >>> bool(np.any(noisy != images)), bool(noisy.max() <= 1)
    (True, True)
    """

    def __init__(
        self,
        operations: Sequence[str] | None = None,
        value_range: tuple[Any, Any] | None = None,
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Pixels of 0..255 must not be rounded to half precision before `call`.
        super().__init__(autocast=False, **kwargs)
        self.operations = None if operations is None else tuple(operations)
        select_operations(self.operations, 3, True)  # raises for unknown names
        if value_range is not None and not _is_range(value_range):
            raise BadInputError(
                "`value_range` must be (black, white) with black < white. "
                f"Received: value_range={value_range!r}"
            )
        self.value_range = None if value_range is None else tuple(map(_plain, value_range))
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.seed = seed
        self.data_format = keras.config.image_data_format() if data_format is None else data_format
        self.generator = keras.random.SeedGenerator(seed)
        self.bank = Bank((), self.data_format, fill_mode, fill_value)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        axis = 1 if self.data_format == "channels_first" else -1
        channels = input_shape[axis] if len(input_shape) == 4 else None
        if channels is None:
            raise BadInputError(
                "AdaptiveAugmentation takes batches of images with a known number of channels. "
                f"Received: input_shape={input_shape}, data_format={self.data_format!r}"
            )
        names = select_operations(self.operations, channels, False)
        self.bank = Bank(names, self.data_format, self.fill_mode, self.fill_value)
        # Without `value_range`, black is above white until the first training batch.
        low, high = (np.inf, -np.inf) if self.value_range is None else self.value_range
        self.strengths = untrained(self, "strengths", np.zeros(len(names)))
        self.low = untrained(self, "low", np.broadcast_to(low, (channels,)))
        self.high = untrained(self, "high", np.broadcast_to(high, (channels,)))

    def set_strengths(self, strengths: Mapping[str, float]) -> None:
        """Sets the strengths by operation, each in [0, 1]; operations not named get 0.

        Raises:
            BadInputError: For an unknown operation, a strength outside [0, 1], or a layer that has
                not seen the shape of its input yet.
        """
        if not self.built:
            raise BadInputError(
                "The strengths of an AdaptiveAugmentation are weights: put the layer into a model "
                "with `keras.Input`, or call it on a batch, before you set them."
            )
        names = self.bank.names
        wrong = {k: v for k, v in strengths.items() if k not in names or not 0 <= v <= 1}
        if wrong:
            raise BadInputError(
                "A strength must be in [0, 1] and belong to one of the operations "
                f"{', '.join(names)}. Received: {wrong}"
            )
        self.strengths.assign([float(strengths.get(name, 0.0)) for name in names])

    def get_strengths(self) -> dict[str, float]:
        """Returns the strengths of all operations by name."""
        values = on_host(self.strengths)
        return {name: float(v) for name, v in zip(self.bank.names, values, strict=True)}

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = ops.convert_to_tensor(inputs)
        if training:
            if self.value_range is None:
                self._widen_range(x)
            seed = drawn_seed(self.generator)
            x = self.bank.apply(x, self.strengths, self.low, self.high, seed)
        return ops.cast(x, self.compute_dtype)

    def _widen_range(self, x: Any) -> None:
        """Extends black and white to the extremes of a batch."""
        axes = (0, 2, 3) if self.data_format == "channels_first" else (0, 1, 2)
        x = ops.cast(x, "float32")
        finite = ops.isfinite(x)
        low = ops.min(ops.where(finite, x, np.inf), axis=axes)
        high = ops.max(ops.where(finite, x, -np.inf), axis=axes)
        self.low.assign(ops.minimum(self.low, low))
        self.high.assign(ops.maximum(self.high, high))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(self, inputs: Any, training: bool = False) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "operations": self.operations,
            "value_range": self.value_range,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "seed": self.seed,
            "data_format": self.data_format,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AdaptiveAugmentation":
        """Returns the layer of a config, also of one that version 0.2 saved."""
        return cls(**{key: value for key, value in config.items() if key != "pool_size"})


def _is_range(value: Any) -> bool:
    """Whether a value is a pair of numbers or of vectors, the first below the second."""
    return np.shape(value)[:1] == (2,) and bool(np.all(np.less(*value)))


def _plain(value: Any) -> Any:
    """Returns a number or a sequence of numbers as Python floats, for `get_config`."""
    return tuple(float(v) for v in value) if np.ndim(value) else float(value)
