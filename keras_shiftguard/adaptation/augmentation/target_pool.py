"""What images take on from unlabelled images of the target.

Yang and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation",
CVPR 2020, exchange the amplitude of low frequencies and keep the phase; here
with a soft edge. Histogram matching is per channel, through `QUANTILES`.
"""

from typing import Any

import numpy as np
from keras import ops

LOW = 0.1  # of the sampling rate: where the amplitude is the image's own again
QUANTILES = 33
TIE = 1e-3  # of the range: levels closer than this count as one


def exchange_amplitude(x: Any, pool: Any, amount: Any) -> Any:
    """Gives `x` a share of the low-frequency amplitude of `pool`.

    Args:
        x: float32, `(samples, height, width, channels)`.
        pool: The same: an image of the target for each sample.
        amount: `(samples,)`, in [0, 1].
    """
    planes, other = (ops.transpose(images, (0, 3, 1, 2)) for images in (x, pool))
    real, imaginary = ops.fft2((planes, ops.zeros_like(planes)))
    a, b = ops.fft2((other, ops.zeros_like(other)))
    size = ops.sqrt(ops.square(real) + ops.square(imaginary))
    theirs = ops.sqrt(ops.square(a) + ops.square(b))
    fy, fx = (_frequencies(side) for side in ops.shape(planes)[2:])
    low = ops.exp(-(ops.square(fy[:, None]) + ops.square(fx[None, :])) / LOW**2)
    share = ops.reshape(amount, (-1, 1, 1, 1)) * low
    # The phase stays exactly, where there is one.
    factor = 1.0 - share + share * theirs / ops.maximum(size, 1e-6)
    y, _ = ops.ifft2((real * factor, imaginary * factor))
    return ops.transpose(y, (0, 2, 3, 1))


def _frequencies(length: Any) -> Any:
    n = ops.cast(length, "float32")
    at = ops.cast(ops.arange(length), "float32")
    return ops.minimum(at, n - at) / n


def match_histogram(x: Any, pool: Any, amount: Any) -> Any:
    """Moves the levels of each channel to those of `pool`, a share of the way.

    Levels that many pixels have (a flat background) go to the middle of what
    they stand for, and stay one level.
    """
    mine, theirs = _quantiles(x), _quantiles(pool)
    y = theirs[:, :1]
    for k in range(QUANTILES - 1):
        low, high = mine[:, k : k + 1], mine[:, k + 1 : k + 2]
        rise = theirs[:, k + 1 : k + 2] - theirs[:, k : k + 1]
        width = high - low + TIE
        y = y + rise * ops.clip((x - low + TIE / 2) / width, 0.0, 1.0)
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (y - x)


def _quantiles(x: Any) -> Any:
    """`(samples, QUANTILES, 1, channels)`."""
    shape = ops.shape(x)
    levels = ops.sort(ops.reshape(x, (shape[0], shape[1] * shape[2], shape[3])), axis=1)
    last = ops.cast(shape[1] * shape[2] - 1, "float32")
    ranks = ops.convert_to_tensor(np.linspace(0, 1, QUANTILES, dtype="float32")) * last
    index = ops.cast(ops.round(ranks), "int32")
    return ops.take(levels, index, axis=1)[:, :, None]
