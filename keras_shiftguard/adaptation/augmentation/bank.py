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
    cover,
    detail,
    geometry,
    light,
    noise,
    target_images,
)
from keras_shiftguard.operations.operation import within
from keras_shiftguard.operations.random_numbers import GivenSeed, Level
from keras_shiftguard.operations.scale import Scale

# Groups of operations that are computed together.
GEOMETRY = tuple(operation.name for operation in geometry.OPERATIONS)
CHROMA = ("less_saturation", "more_saturation", "hue")
LIGHT = ("darker", "brighter", "less_contrast", "more_contrast")


class Bank:
    """A fixed sequence of augmentation operations, without any state.

    `names` are in the order of `strengths` in `apply`. The other arguments are those of
    `AdaptiveAugmentation`, and a BadInputError is raised for another `fill_mode`.
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
        """Augments float32 images with `levels`, a result of `draws.levels`; see `apply`."""
        low, high = ops.cast(low, "float32"), ops.cast(high, "float32")
        # A channel whose values are all equal has a range of 1, as in `value_range`.
        scale = Scale(low, ops.where(high > low, high, low + 1.0), self.channels_first)
        y = unit = scale.to_unit(x)
        if pool is not None:
            pool = scale.to_unit(pool)
        fill = (self.fill_value - low) / (scale.high - low)
        limits = np.asarray([OPERATIONS[name].limit for name in self.names], "float32")
        scaled = levels * ops.convert_to_tensor(limits)
        used = ops.any(ops.not_equal(levels, 0.0), axis=0)
        zeros = ops.zeros_like(levels[:, 0])

        def level(name: str) -> Any:
            return scaled[:, self.names.index(name)] if name in self.names else zeros

        for names, run in self._stages(level, draws, seed, unit, pool, fill):
            columns = [
                self.names.index(name)
                for name in names
                if name in self.names and OPERATIONS[name].channels <= unit.shape[-1]
            ]
            if columns:
                at = ops.convert_to_tensor(np.asarray(columns, "int32"))
                y = _applied(run, y, ops.any(ops.take(used, at)))
        # Samples without any operation stay the same bit for bit.
        unchanged = ops.reshape(ops.all(ops.equal(levels, 0.0), axis=1), (-1, 1, 1, 1))
        return ops.where(unchanged, x, scale.from_unit(within(unit, y)))

    def _stages(
        self, level: Level, draws: Draws, seed: GivenSeed, unit: Any, pool: Any, fill: Any
    ) -> list[tuple[tuple[str, ...], Callable[[Any], Any]]]:
        """Returns groups of operations with the functions of images that run them, in order.

        `unit` are the images before any operation. They and `pool`, the images of the target, have
        the channels last, black at 0 and white at 1. `fill` is the value that `"constant"` fills
        in, `(channels,)`.
        """

        def picked() -> Any:  # one image of the target for each sample
            size = ops.shape(pool)[0]
            pick = ops.cast(draws["pick"] * ops.cast(size, "float32"), "int32")
            return ops.take(pool, ops.minimum(pick, size - 1), axis=0)

        fourier, histogram = target_images.exchange_amplitude, target_images.match_histogram
        of_target: list[Any] = [
            (("fourier",), lambda x: fourier(x, picked(), level("fourier"))),
            (("histogram",), lambda x: histogram(x, picked(), level("histogram"))),
        ]
        filled = self.fill_mode, fill
        return [
            (GEOMETRY, lambda x: geometry.transform(x, level, draws, seed, *filled)),
            *(of_target if pool is not None else []),
            (("gamma_up", "gamma_down"), lambda x: light.adjust_gamma(x, level)),
            (CHROMA, lambda x: light.adjust_color(x, level)),
            # `Draws` has random numbers for four channels.
            (
                ("channel_gain",) if unit.shape[-1] <= 4 else (),
                lambda x: light.scale_channels(x, level, draws),
            ),
            (LIGHT, lambda x: within(unit, light.adjust_light(x, level))),
            (("haze",), lambda x: light.add_haze(x, level("haze"), draws, seed)),
            (("scatter",), lambda x: geometry.scatter(x, level("scatter"), seed, *filled)),
            (("resolution",), lambda x: detail.enlarge_pixels(x, level("resolution"))),
            (("motion_blur",), lambda x: detail.motion_blur(x, level("motion_blur"), draws)),
            (("blur",), lambda x: detail.blur(x, level("blur"))),
            (("sharpen",), lambda x: detail.sharpen(x, level("sharpen"))),
            (("noise", "speckle"), lambda x: noise.add_noise(x, level, seed)),
            (("impulse",), lambda x: noise.add_impulses(x, level("impulse"), seed)),
            (("blocking",), lambda x: detail.quantise_blocks(within(unit, x), level("blocking"))),
            (("erasing",), lambda x: cover.erase(x, level("erasing"), draws)),
        ]


def _applied(run: Callable[[Any], Any], x: Any, is_used: Any) -> Any:
    """Returns `run(x)` if any sample uses one of the operations, else `x`."""
    return ops.cond(is_used, lambda: run(x), lambda: x)
