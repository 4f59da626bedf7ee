"""Operations on light and color: brightness, contrast, gamma, saturation, hue, tint and haze.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.operations.operation import Operation, evenly, only, within
from keras_shiftguard.operations.random_numbers import (
    FixedNumbers,
    GivenSeed,
    Level,
    Numbers,
    fixed_seed,
    smooth_field,
)

EPSILON = 1e-6  # smallest value whose logarithm is taken. A convention.
MIN_SPAN = 1e-3  # smallest range, or mean, by which values are divided. A convention.
MAX_GAIN = 4.0  # largest factor of a channel that is balanced. A convention.


def adjust_gamma(x: Any, level: Level) -> Any:
    """Raises values between black and white to the power gamma; other values stay the same."""
    gamma = _per_sample(ops.exp(level("gamma_up") - level("gamma_down")))
    inside = ops.logical_and(x > 0, x < 1)
    return ops.where(inside, ops.exp(gamma * ops.log(ops.clip(x, EPSILON, 1.0))), x)


def adjust_color(x: Any, level: Level) -> Any:
    """Changes saturation and hue of the first three channels."""
    gray = ops.mean(x[..., :3], axis=-1, keepdims=True)
    chroma = x[..., :3] - gray
    angle = _per_sample(level("hue") * (2 * np.pi))
    # A change of hue is a rotation around the gray axis, on which all channels are equal.
    across = ops.roll(chroma, 1, axis=-1) - ops.roll(chroma, -1, axis=-1)
    turned = ops.cos(angle) * chroma + ops.sin(angle) * across / np.sqrt(3)
    factor = 1.0 + level("more_saturation") - level("less_saturation")
    return ops.concatenate([gray + _per_sample(factor) * turned, x[..., 3:]], axis=-1)


def scale_channels(x: Any, level: Level, draws: Numbers) -> Any:
    """Multiplies each channel by a random gain, from `exp(-level)` to `exp(level)`."""
    amount, channels = level("channel_gain"), x.shape[-1]
    gain = [ops.exp(amount * (2 * draws[f"gain_{c}"] - 1)) for c in range(channels)]
    return x * ops.reshape(ops.stack(gain, axis=1), (-1, 1, 1, channels))


def adjust_light(x: Any, level: Level) -> Any:
    """Changes the contrast around the mean of the image, then the brightness."""
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    contrast = _per_sample(ops.exp(level("more_contrast") - level("less_contrast")))
    return contrast * x + ((1 - contrast) * mean + _per_sample(level("brighter") - level("darker")))


def add_haze(x: Any, amount: Any, draws: Numbers, seed: GivenSeed) -> Any:
    """Blends each image with haze: a smooth random field around a random gray level.

    `amount` is the opacity of the haze, `(samples,)`, in [0, 1].
    """
    gray = _per_sample(0.3 + 0.4 * draws["y"])
    haze = gray + 0.6 * (smooth_field(x, 1, seed) - 0.5)
    return x + _per_sample(amount) * (haze - x)


def _per_sample(value: Any) -> Any:
    """Returns `(samples,)` values as `(samples, 1, 1, 1)`, to broadcast over images."""
    return ops.reshape(value, (-1, 1, 1, 1))


def multiply(x: Any, factor: Any) -> Any:
    """Multiplies all values, as another exposure does."""
    return within(x, x * factor)


def stretch(x: Any, amount: Any) -> Any:
    """Moves the darkest value of each image to black, and the brightest one to white."""
    low = ops.min(x, axis=(1, 2, 3), keepdims=True)
    high = ops.max(x, axis=(1, 2, 3), keepdims=True)
    return (x - low) / ops.maximum(high - low, MIN_SPAN)


def balance(x: Any, amount: Any) -> Any:
    """Gives all channels of an image the same mean, which removes a tint."""
    means = ops.mean(x, axis=(1, 2), keepdims=True)
    gains = ops.mean(means, axis=-1, keepdims=True) / ops.maximum(means, MIN_SPAN)
    return within(x, x * ops.clip(gains, 1 / MAX_GAIN, MAX_GAIN))


def _one(name: str, run: Callable[[Any, Level], Any]) -> Callable[[Any, Any], Any]:
    """Returns the operation `name` as a function of images and one strength."""
    return lambda x, amount: within(x, run(x, only(name, amount, x)))


def _haze(x: Any, amount: Any) -> Any:
    return add_haze(x, amount, FixedNumbers(x.shape[0]), fixed_seed(0))


def _row(name: str, words: str, run: Any, *row: Any, family: str = "light", **more: Any) -> Any:
    return Operation(name, family, words, _one(name, run), *row, **more)


# Strengths that are tried. Conventions.
CONTRASTS, GAMMAS, OFFSETS = (0.35, 0.7), (0.5, 0.9), (0.1, 0.2, 0.3)
GAINS = (0.5, 0.6, 0.7, 0.8, 1.25, 1.4, 1.7, 2.0)
SATURATIONS, HUES = (0.5, 1.0), (-0.15, 0.15)
RANGE, BY, EXP = "{:.2g} of the range", "by {:.2g}", "by exp {:.2g}"
GAMMA_UP, GAMMA_DOWN = "exponent exp {:.2g}", "exponent exp -{:.2g}"
COLOUR: dict[str, Any] = {"family": "colour", "channels": 3}

# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    _row("darker", "darkens", adjust_light, OFFSETS, RANGE, 0.6, "brighter"),
    _row("brighter", "brightens", adjust_light, OFFSETS, RANGE, 0.6, "darker"),
    _row(
        "less_contrast", "lowers the contrast", adjust_light, CONTRASTS, EXP, 2.0, "more_contrast"
    ),
    _row(
        "more_contrast", "raises the contrast", adjust_light, CONTRASTS, EXP, 2.0, "less_contrast"
    ),
    _row("gamma_up", "darkens midtones", adjust_gamma, GAMMAS, GAMMA_UP, 1.1, "gamma_down"),
    _row("gamma_down", "brightens midtones", adjust_gamma, GAMMAS, GAMMA_DOWN, 1.1, "gamma_up"),
    Operation("gain", "light", "multiplies the brightness", multiply, GAINS, BY),
    Operation("stretch", "light", "stretches to the full range", stretch, (1.0,)),
    _row(
        "less_saturation", "fades", adjust_color, SATURATIONS, BY, 1.0, "more_saturation", **COLOUR
    ),
    _row(
        "more_saturation",
        "saturates",
        adjust_color,
        SATURATIONS,
        BY,
        1.5,
        "less_saturation",
        **COLOUR,
    ),
    _row(
        "hue",
        "rotates the hue",
        adjust_color,
        HUES,
        "up to {:.2g} turns",
        0.25,
        signed=True,
        **COLOUR,
    ),
    Operation("channel_gain", "colour", "tints", unit="up to exp {:.2g}", limit=0.5, channels=2),
    Operation("balance", "colour", "balances the channels", balance, (1.0,), channels=3),
    Operation("haze", "light", "adds haze", evenly(_haze), (), "opacity {:.2g}", 0.9),
)
