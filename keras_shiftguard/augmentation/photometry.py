"""Brightness, contrast, gamma, saturation, hue, channel gain and haze."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.augmentation.draws import Draws, GivenSeed, smooth_field

SMALL = 1e-6


def recolour(x: Any, level: Callable[[str], Any], draws: Draws) -> Any:
    """Changes the levels of images whose black is 0 and white is 1.

    Args:
        x: float32, `(samples, height, width, channels)`.
        level: Gives the `(samples,)` level of an operation, in its own unit.
        draws: The gain of each channel.
    """
    channels = x.shape[-1]

    def cell(value: Any) -> Any:
        return ops.reshape(value, (-1, 1, 1, 1))

    gamma = cell(ops.exp(level("gamma_up") - level("gamma_down")))
    inside = ops.logical_and(x > 0, x < 1)
    curved = ops.exp(gamma * ops.log(ops.clip(x, SMALL, 1.0)))
    x = ops.where(inside, curved, x)
    if channels >= 3:
        gray = ops.mean(x[..., :3], axis=-1, keepdims=True)
        chroma = x[..., :3] - gray
        angle = cell(level("hue") * (2 * np.pi))
        # A turn around the gray axis, where all channels are equal.
        across = ops.roll(chroma, 1, axis=-1) - ops.roll(chroma, -1, axis=-1)
        turned = ops.cos(angle) * chroma + ops.sin(angle) * across / np.sqrt(3)
        factor = 1.0 + level("more_saturation") - level("less_saturation")
        x = ops.concatenate([gray + cell(factor) * turned, x[..., 3:]], axis=-1)
    if 2 <= channels <= 4:
        gain = [
            ops.exp(level("channel_gain") * (2 * draws[f"gain_{c}"] - 1)) for c in range(channels)
        ]
        x = x * ops.reshape(ops.stack(gain, axis=1), (-1, 1, 1, channels))
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    contrast = cell(ops.exp(level("more_contrast") - level("less_contrast")))
    return mean + contrast * (x - mean) + cell(level("brighter") - level("darker"))


def veil(x: Any, amount: Any, draws: Draws, seed: GivenSeed) -> Any:
    """Mixes in light clouds: some hills, over a ground that differs by sample."""
    ground = ops.reshape(0.3 + 0.4 * draws["y"], (-1, 1, 1, 1))
    clouds = ground + 0.6 * (smooth_field(x, 1, seed) - 0.5)
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (clouds - x)
