"""Operations that add noise: Gaussian noise, speckle and impulses.

Images are float32, `(samples, height, width, channels)`; black is 0 and white is 1.
"""

from typing import Any

import keras
from keras import ops

from keras_shiftguard.operations.operation import Operation, evenly, only, within
from keras_shiftguard.operations.random_numbers import GivenSeed, Level, fixed_seed


def add_noise(x: Any, level: Level, seed: GivenSeed) -> Any:
    """Adds Gaussian noise.

    Its standard deviation is the level of `"noise"` plus the level of `"speckle"` times
    the value of the pixel.
    """
    shape = ops.shape(x)
    flat = ops.reshape(x, (shape[0], -1))  # one row for each sample
    noise = keras.random.normal(ops.shape(flat), seed=seed, dtype="float32")
    std = level("noise")[:, None] + level("speckle")[:, None] * flat
    return ops.reshape(flat + noise * std, shape)


def add_impulses(x: Any, share: Any, seed: GivenSeed) -> Any:
    """Sets a random share of the values, half to 0 and half to 1; `share` is `(samples,)`."""
    u = keras.random.uniform(ops.shape(x), seed=seed, dtype="float32")
    half = ops.reshape(share, (-1, 1, 1, 1)) / 2
    return ops.where(u < half, 0.0, ops.where(u > 1 - half, 1.0, x))


def _noise(x: Any, amount: Any) -> Any:
    return within(x, add_noise(x, only("noise", amount, x), fixed_seed(0)))


def _impulses(x: Any, share: Any) -> Any:
    return add_impulses(x, share, fixed_seed(0))


STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.45)  # standard deviations that are tried. A convention.

# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = (
    Operation(
        "noise", "detail", "adds noise", _noise, STRENGTHS, "sigma {:.2g} of the range", limit=0.5
    ),
    Operation(
        "speckle", "detail", "multiplies with noise", unit="sigma {:.2g} of the value", limit=1.0
    ),
    Operation(
        "impulse",
        *("detail", "sets values to black or white", evenly(_impulses), (), "{:.2g} of the values"),
        limit=0.4,
    ),
)
