"""`Bank`: applies all augmentation operations to a batch of images.

The order is that of a camera: geometry, spectrum and histogram of target images,
light, optics, sensor, compression; erasing comes last. Operations that no sample of the
batch uses are skipped, so they cost a training step no time.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.draws import Draws
from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.operations import (
    blocks,
    cover,
    detail,
    geometry,
    light,
    noise,
    target_images,
)
from keras_shiftguard.operations.random_numbers import GivenSeed

# Groups of operations that are computed together.
GEOMETRY = (
    *("rotation", "shift_left", "shift_right", "shift_up", "shift_down", "shear"),
    *("zoom_in", "zoom_out", "crop", "elastic", "flip_horizontal", "flip_vertical"),
)
GAMMA = ("gamma_up", "gamma_down")
CHROMA = ("less_saturation", "more_saturation", "hue")
LIGHT = ("darker", "brighter", "less_contrast", "more_contrast")


class Bank:
    """A fixed sequence of augmentation operations, without any state.

    Args:
        names: Names of the operations, in the order of `strengths` in `apply`.
        data_format: `"channels_last"` or `"channels_first"`.
        fill_mode: How geometric operations fill pixels beyond the border:
            `"reflect"`, `"nearest"`, `"wrap"` or `"constant"`.
        fill_value: The value used by `"constant"`, on the scale of the images.

    Raises:
        BadInputError: If `fill_mode` is none of these.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        data_format: str = "channels_last",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
    ) -> None:
        if fill_mode not in geometry.FILL_MODES:
            raise BadInputError(
                f"`fill_mode` must be one of {geometry.FILL_MODES}. "
                f"Received: fill_mode={fill_mode!r}"
            )
        self.names = names
        self.channels_first = data_format == "channels_first"
        self.fill_mode = fill_mode
        self.fill_value = fill_value

    def apply(
        self, x: Any, strengths: Any, low: Any, high: Any, seed: GivenSeed, pool: Any = None
    ) -> Any:
        """Augments a batch of images; if all strengths are zero, the values are unchanged.

        Args:
            x: Images of any numeric dtype, 4D. Floats keep their dtype, integers
                become float32.
            strengths: Strength of each operation in [0, 1], `(operations,)`.
            low: The value of black in each channel, `(channels,)`.
            high: The value of white in each channel, `(channels,)`.
            seed: The seed of all random numbers.
            pool: Images of the target, in the layout and on the scale of `x`,
                4D; or None.

        Returns:
            Images of the shape of `x`.
        """
        dtype = keras.backend.standardize_dtype(x.dtype)
        dtype = dtype if "float" in dtype else "float32"
        draws = Draws(ops.shape(x)[0], self.names, seed)

        def augmented() -> Any:
            levels = draws.levels(strengths)
            y = self.apply_levels(ops.cast(x, "float32"), levels, draws, low, high, seed, pool)
            return ops.cast(y, dtype)

        return ops.cond(ops.any(strengths > 0), augmented, lambda: ops.cast(x, dtype))

    def apply_levels(
        self,
        x: Any,
        levels: Any,
        draws: Draws,
        low: Any,
        high: Any,
        seed: GivenSeed,
        pool: Any = None,
    ) -> Any:
        """Augments images with a level for each sample and operation.

        `x` is float32. `levels` is a result of `draws.levels`, `(samples, operations)`. The
        other arguments and the result are those of `apply`.
        """
        images = ops.transpose(x, (0, 2, 3, 1)) if self.channels_first else x
        shape = ops.shape(images)
        # Each sample is one flat row, and a value per channel is repeated for each pixel. This
        # is several times as fast as broadcasting along the last axis.
        flat = ops.reshape(images, (shape[0], -1))

        def by_pixel(value: Any) -> Any:  # `(channels,)` to `(1, values of a sample)`
            return ops.reshape(ops.broadcast_to(value, shape[1:]), (1, -1))

        low, high = ops.cast(low, "float32"), ops.cast(high, "float32")
        span = ops.maximum(high - low, 1e-12)
        unit = (flat - by_pixel(low)) * by_pixel(1.0 / span)
        # Results are clipped to black and white. Black and white are estimates, so an image
        # that exceeds them is clipped to its own extremes instead.
        floor = ops.minimum(ops.min(unit, axis=1), 0.0)
        ceiling = ops.maximum(ops.max(unit, axis=1), 1.0)
        bounds = [ops.reshape(bound, (-1, 1, 1, 1)) for bound in (floor, ceiling)]
        if pool is not None:
            pool = ops.transpose(pool, (0, 2, 3, 1)) if self.channels_first else pool
            pool = (pool - low) / span
        fill = (self.fill_value - low) / span
        unit = ops.reshape(unit, shape)
        y = self._pipeline(unit, levels, draws, seed, pool, fill, (bounds[0], bounds[1]))
        y = ops.clip(ops.reshape(y, ops.shape(flat)), floor[:, None], ceiling[:, None])
        y = by_pixel(low) + y * by_pixel(span)
        # Samples without any operation stay the same bit for bit.
        unchanged = ops.all(ops.equal(levels, 0.0), axis=1)
        y = ops.reshape(ops.where(unchanged[:, None], flat, y), shape)
        return ops.transpose(y, (0, 3, 1, 2)) if self.channels_first else y

    def _pipeline(
        self,
        x: Any,
        levels: Any,
        draws: Draws,
        seed: GivenSeed,
        pool: Any,
        fill: Any,
        bounds: tuple[Any, Any],
    ) -> Any:
        """Runs the operations on channels-last images in which black is 0 and white is 1.

        `pool` has the scale of `x`. `fill` is the value that `"constant"` fills in,
        `(channels,)`. `bounds` are the smallest and the largest value that each image may
        get, `(samples, 1, 1, 1)` each. For the other arguments see `apply_levels`.
        """
        limits = np.asarray([OPERATIONS[name].limit for name in self.names], "float32")
        scaled = levels * ops.convert_to_tensor(limits)
        used = ops.any(ops.not_equal(levels, 0.0), axis=0)
        zeros = ops.zeros_like(levels[:, 0])

        def level(name: str) -> Any:
            return scaled[:, self.names.index(name)] if name in self.names else zeros

        def stage(x: Any, names: tuple[str, ...], run: Callable[[Any], Any]) -> Any:
            """Returns `run(x)` if any sample uses one of the operations, else `x`."""
            columns = [self.names.index(name) for name in names if name in self.names]
            if not columns:
                return x
            is_used = ops.any(ops.take(used, ops.convert_to_tensor(np.asarray(columns, "int32"))))
            return ops.cond(is_used, lambda: run(x), lambda: x)

        x = stage(
            x,
            GEOMETRY,
            lambda x: geometry.transform(x, level, draws, seed, self.fill_mode, fill),
        )
        if pool is not None:
            pool_size = ops.shape(pool)[0]
            pick = ops.cast(draws["pick"] * ops.cast(pool_size, "float32"), "int32")

            def picked() -> Any:  # one image of the target for each sample
                return ops.take(pool, ops.minimum(pick, pool_size - 1), axis=0)

            x = stage(
                x,
                ("fourier",),
                lambda x: target_images.exchange_amplitude(x, picked(), level("fourier")),
            )
            x = stage(
                x,
                ("histogram",),
                lambda x: target_images.match_histogram(x, picked(), level("histogram")),
            )
        x = stage(x, GAMMA, lambda x: light.adjust_gamma(x, level))
        if x.shape[-1] >= 3:
            x = stage(x, CHROMA, lambda x: light.adjust_saturation_and_hue(x, level))
        if 2 <= x.shape[-1] <= 4:
            x = stage(x, ("channel_gain",), lambda x: light.scale_channels(x, level, draws))
        x = stage(x, LIGHT, lambda x: ops.clip(light.adjust_light(x, level), *bounds))
        x = stage(x, ("haze",), lambda x: light.add_haze(x, level("haze"), draws, seed))
        x = stage(
            x,
            ("scatter",),
            lambda x: geometry.scatter(x, level("scatter"), seed, self.fill_mode, fill),
        )
        x = stage(x, ("resolution",), lambda x: detail.enlarge_pixels(x, level("resolution")))
        x = stage(x, ("motion_blur",), lambda x: detail.motion_blur(x, level("motion_blur"), draws))
        x = stage(x, ("blur",), lambda x: detail.blur(x, level("blur")))
        x = stage(x, ("sharpen",), lambda x: detail.sharpen(x, level("sharpen")))
        x = stage(x, ("noise", "speckle"), lambda x: noise.add_noise(x, level, seed))
        x = stage(x, ("impulse",), lambda x: noise.add_impulses(x, level("impulse"), seed))
        x = stage(
            x,
            ("blocking",),
            lambda x: blocks.quantise_blocks(ops.clip(x, *bounds), level("blocking")),
        )
        return stage(x, ("erasing",), lambda x: cover.erase(x, level("erasing"), draws))
