"""Operations that exchange properties with target images: Fourier amplitude and histogram.

The amplitude of low frequencies is exchanged and the phase is kept, as in Yang
and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation", CVPR
2020, but without a sharp limit between low and high frequencies. Histograms are
matched in each channel, at `QUANTILES` quantiles.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.operations.operation import Operation

# Frequency, as a share of the sampling rate, above which little of the amplitude is exchanged. A
# convention.
CUTOFF = 0.1
QUANTILES = 33  # quantiles of a histogram that is matched. A convention.
# Closer levels count as one level; the distance of black and white is 1. A convention.
MIN_LEVEL_STEP = 1e-3


def exchange_amplitude(x: Any, pool: Any, amount: Any) -> Any:
    """Replaces low-frequency amplitudes of `x` by those of target images, in part.

    Args:
        x: float32, `(samples, height, width, channels)`.
        pool: One target image for each sample, with the shape and dtype of `x`.
        amount: Share of the amplitude that is replaced at frequency 0, `(samples,)`, in
            [0, 1]. It decreases with the frequency.
    """
    planes, target_planes = (ops.transpose(images, (0, 3, 1, 2)) for images in (x, pool))
    real, imaginary = ops.fft2((planes, ops.zeros_like(planes)))
    target_real, target_imaginary = ops.fft2((target_planes, ops.zeros_like(target_planes)))
    amplitude = ops.sqrt(ops.square(real) + ops.square(imaginary))
    target_amplitude = ops.sqrt(ops.square(target_real) + ops.square(target_imaginary))
    fy, fx = (_frequencies(side) for side in ops.shape(planes)[2:])
    low_pass = ops.exp(-(ops.square(fy[:, None]) + ops.square(fx[None, :])) / CUTOFF**2)
    share = ops.reshape(amount, (-1, 1, 1, 1)) * low_pass
    # Real and imaginary part get the same factor, so the phase stays exactly the same.
    factor = 1.0 - share + share * target_amplitude / ops.maximum(amplitude, 1e-6)
    y, _ = ops.ifft2((real * factor, imaginary * factor))
    return ops.transpose(y, (0, 2, 3, 1))


def _frequencies(length: Any) -> Any:
    """Returns the absolute frequencies of a transform, as shares of the sampling rate."""
    n = ops.cast(length, "float32")
    at = ops.cast(ops.arange(length), "float32")
    return ops.minimum(at, n - at) / n


def match_histogram(x: Any, pool: Any, amount: Any) -> Any:
    """Matches the histogram of each channel to that of target images, in part.

    A level that many pixels have (a flat background) covers several quantiles. It
    is mapped to the value halfway between the target's values at the lowest and the highest of
    these quantiles, and stays one level.

    The arguments are those of `exchange_amplitude`; `amount` says how far values move to the
    matched ones, from 0, not at all, to 1, all the way.
    """
    own, target = _quantiles(x), _quantiles(pool)
    y = target[:, :1]  # the result: the lowest quantile plus a ramp for each interval of quantiles
    for k in range(QUANTILES - 1):
        low, high = own[:, k : k + 1], own[:, k + 1 : k + 2]
        rise = target[:, k + 1 : k + 2] - target[:, k : k + 1]
        width = high - low + MIN_LEVEL_STEP
        y = y + rise * ops.clip((x - low + MIN_LEVEL_STEP / 2) / width, 0.0, 1.0)
    return x + ops.reshape(amount, (-1, 1, 1, 1)) * (y - x)


def _quantiles(x: Any) -> Any:
    """Returns the quantiles of each channel, `(samples, QUANTILES, 1, channels)`."""
    shape = ops.shape(x)
    values = ops.sort(ops.reshape(x, (shape[0], shape[1] * shape[2], shape[3])), axis=1)
    last = ops.cast(shape[1] * shape[2] - 1, "float32")
    ranks = ops.convert_to_tensor(np.linspace(0, 1, QUANTILES, dtype="float32")) * last
    index = ops.cast(ops.round(ranks), "int32")
    return ops.take(values, index, axis=1)[:, :, None]


# Strengths that experiments try, and the largest strengths of augmentation. Conventions.
OPERATIONS = tuple(
    Operation(name, "light", words, unit="share {:.2g}", limit=1.0, pool=True)
    for name, words in (
        ("fourier", "takes the target's low frequencies"),
        ("histogram", "takes the target's histogram"),
    )
)
