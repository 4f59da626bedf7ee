"""Operations that exchange properties with target images: Fourier amplitude and histogram.

The amplitude of low frequencies is exchanged and the phase is kept, as in Yang
and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation", CVPR
2020, but with a soft edge. Histograms are matched for each channel, at
`QUANTILES` quantiles.
"""

from typing import Any

import numpy as np
from keras import ops

CUTOFF = 0.1  # frequency, as a share of the sampling rate, up to which amplitudes are exchanged
QUANTILES = 33
MIN_LEVEL_STEP = 1e-3  # share of the range; levels closer than this count as one


def exchange_amplitude(x: Any, pool: Any, amount: Any) -> Any:
    """Replaces a share of the low-frequency amplitude of `x` by that of target images.

    Args:
        x: float32, `(samples, height, width, channels)`.
        pool: One target image for each sample, with the shape and dtype of `x`.
        amount: The share that is replaced, `(samples,)`, in [0, 1].

    Returns:
        Images of the shape of `x`.
    """
    planes, other = (ops.transpose(images, (0, 3, 1, 2)) for images in (x, pool))
    real, imaginary = ops.fft2((planes, ops.zeros_like(planes)))
    a, b = ops.fft2((other, ops.zeros_like(other)))
    amplitude = ops.sqrt(ops.square(real) + ops.square(imaginary))
    target_amplitude = ops.sqrt(ops.square(a) + ops.square(b))
    fy, fx = (_frequencies(side) for side in ops.shape(planes)[2:])
    low = ops.exp(-(ops.square(fy[:, None]) + ops.square(fx[None, :])) / CUTOFF**2)
    share = ops.reshape(amount, (-1, 1, 1, 1)) * low
    # Real and imaginary part get the same factor, so the phase stays exactly the same.
    factor = 1.0 - share + share * target_amplitude / ops.maximum(amplitude, 1e-6)
    y, _ = ops.ifft2((real * factor, imaginary * factor))
    return ops.transpose(y, (0, 2, 3, 1))


def _frequencies(length: Any) -> Any:
    """Absolute frequencies of a Fourier transform, as a share of the sampling rate."""
    n = ops.cast(length, "float32")
    at = ops.cast(ops.arange(length), "float32")
    return ops.minimum(at, n - at) / n


def match_histogram(x: Any, pool: Any, amount: Any) -> Any:
    """Matches the histogram of each channel to that of target images, by a share.

    A level that many pixels share (a flat background) covers several quantiles; it
    is mapped to the middle of them, and stays one level.

    Args:
        x: float32, `(samples, height, width, channels)`.
        pool: One target image for each sample, with the shape and dtype of `x`.
        amount: Share of the way to the target's levels, `(samples,)`, in [0, 1].

    Returns:
        Images of the shape of `x`.
    """
    own, target = _quantiles(x), _quantiles(pool)
    y = target[:, :1]
    for k in range(QUANTILES - 1):
        low, high = own[:, k : k + 1], own[:, k + 1 : k + 2]
        rise = target[:, k + 1 : k + 2] - target[:, k : k + 1]
        width = high - low + MIN_LEVEL_STEP
        y = y + rise * ops.clip((x - low + MIN_LEVEL_STEP / 2) / width, 0.0, 1.0)
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (y - x)


def _quantiles(x: Any) -> Any:
    """Quantiles of each channel, `(samples, QUANTILES, 1, channels)`."""
    shape = ops.shape(x)
    levels = ops.sort(ops.reshape(x, (shape[0], shape[1] * shape[2], shape[3])), axis=1)
    last = ops.cast(shape[1] * shape[2] - 1, "float32")
    ranks = ops.convert_to_tensor(np.linspace(0, 1, QUANTILES, dtype="float32")) * last
    index = ops.cast(ops.round(ranks), "int32")
    return ops.take(levels, index, axis=1)[:, :, None]
