"""Brightness, contrast, gamma, saturation, hue, channel gain and haze.

Images are float32, `(samples, height, width, channels)`, black is 0 and white is 1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.draws import Draws, GivenSeed, smooth_field

SMALL = 1e-6
Level = Callable[[str], Any]  # the level of an operation, `(samples,)`, in its own unit


def bend(x: Any, level: Level) -> Any:
    """Gamma, of what lies between black and white."""
    gamma = _cell(ops.exp(level("gamma_up") - level("gamma_down")))
    inside = ops.logical_and(x > 0, x < 1)
    return ops.where(inside, ops.exp(gamma * ops.log(ops.clip(x, SMALL, 1.0))), x)


def recolour(x: Any, level: Level) -> Any:
    """Saturation and hue, of three channels."""
    gray = ops.mean(x[..., :3], axis=-1, keepdims=True)
    chroma = x[..., :3] - gray
    angle = _cell(level("hue") * (2 * np.pi))
    # A turn around the gray axis, where all channels are equal.
    across = ops.roll(chroma, 1, axis=-1) - ops.roll(chroma, -1, axis=-1)
    turned = ops.cos(angle) * chroma + ops.sin(angle) * across / np.sqrt(3)
    factor = 1.0 + level("more_saturation") - level("less_saturation")
    return ops.concatenate([gray + _cell(factor) * turned, x[..., 3:]], axis=-1)


def tint(x: Any, level: Level, draws: Draws) -> Any:
    """A gain for each channel."""
    amount, channels = level("channel_gain"), x.shape[-1]
    gain = [ops.exp(amount * (2 * draws[f"gain_{c}"] - 1)) for c in range(channels)]
    return x * ops.reshape(ops.stack(gain, axis=1), (-1, 1, 1, channels))


def relight(x: Any, level: Level) -> Any:
    """Contrast around the image's mean, then brightness."""
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    contrast = _cell(ops.exp(level("more_contrast") - level("less_contrast")))
    return contrast * x + ((1 - contrast) * mean + _cell(level("brighter") - level("darker")))


def veil(x: Any, amount: Any, draws: Draws, seed: GivenSeed) -> Any:
    """Mixes in light clouds: some hills, over a ground that differs by sample."""
    ground = ops.reshape(0.3 + 0.4 * draws["y"], (-1, 1, 1, 1))
    clouds = ground + 0.6 * (smooth_field(x, 1, seed) - 0.5)
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (clouds - x)


def _cell(value: Any) -> Any:
    return ops.reshape(value, (-1, 1, 1, 1))
