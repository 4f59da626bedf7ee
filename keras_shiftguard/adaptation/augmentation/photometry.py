"""Photometric operations: brightness, contrast, gamma, saturation, hue, channel gain and haze.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.draws import Draws, GivenSeed, Level, smooth_field

EPSILON = 1e-6  # smallest value whose logarithm is taken


def adjust_gamma(x: Any, level: Level) -> Any:
    """Raises values between black and white to the power gamma; other values stay the same."""
    gamma = _per_sample(ops.exp(level("gamma_up") - level("gamma_down")))
    inside = ops.logical_and(x > 0, x < 1)
    return ops.where(inside, ops.exp(gamma * ops.log(ops.clip(x, EPSILON, 1.0))), x)


def adjust_saturation_and_hue(x: Any, level: Level) -> Any:
    """Changes saturation and hue of the first three channels."""
    gray = ops.mean(x[..., :3], axis=-1, keepdims=True)
    chroma = x[..., :3] - gray
    angle = _per_sample(level("hue") * (2 * np.pi))
    # A change of hue is a rotation around the gray axis, on which all channels are equal.
    across = ops.roll(chroma, 1, axis=-1) - ops.roll(chroma, -1, axis=-1)
    turned = ops.cos(angle) * chroma + ops.sin(angle) * across / np.sqrt(3)
    factor = 1.0 + level("more_saturation") - level("less_saturation")
    return ops.concatenate([gray + _per_sample(factor) * turned, x[..., 3:]], axis=-1)


def scale_channels(x: Any, level: Level, draws: Draws) -> Any:
    """Multiplies each channel by a random gain, from `exp(-level)` to `exp(level)`."""
    amount, channels = level("channel_gain"), x.shape[-1]
    gain = [ops.exp(amount * (2 * draws[f"gain_{c}"] - 1)) for c in range(channels)]
    return x * ops.reshape(ops.stack(gain, axis=1), (-1, 1, 1, channels))


def adjust_light(x: Any, level: Level) -> Any:
    """Changes the contrast around the mean of the image, then the brightness."""
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    contrast = _per_sample(ops.exp(level("more_contrast") - level("less_contrast")))
    return contrast * x + ((1 - contrast) * mean + _per_sample(level("brighter") - level("darker")))


def add_haze(x: Any, amount: Any, draws: Draws, seed: GivenSeed) -> Any:
    """Blends each image with haze: a smooth random field around a random gray level.

    Args:
        x: Images.
        amount: Opacity of the haze, `(samples,)`, in [0, 1].
        draws: The random numbers that choose the gray level.
        seed: The seed of the field.
    """
    gray = _per_sample(0.3 + 0.4 * draws["y"])
    haze = gray + 0.6 * (smooth_field(x, 1, seed) - 0.5)
    return x + _per_sample(amount) * (haze - x)


def _per_sample(value: Any) -> Any:
    """Returns `(samples,)` values as `(samples, 1, 1, 1)`, to broadcast over images."""
    return ops.reshape(value, (-1, 1, 1, 1))
