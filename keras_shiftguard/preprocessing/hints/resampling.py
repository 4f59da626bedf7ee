"""Hints on how images were resized, from repeated pixels and spectra.

If images are reduced with averages (antialiasing), little power is left at the finest scale. If
they are reduced by picking or blending single pixels, the power of finer scales is folded into the
finest scale. If images are enlarged, the finest scales are empty, or the weights of the
interpolation are periodic along each axis (Popescu and Farid, 2005). Single photos differ in
sharpness for other reasons, so each score is the median over a set of images. The limits come from
real photos: tests/preprocessing/hints/test_image_hints.py measures how often each hint is right and
wrong.
"""

from typing import NamedTuple

import numpy as np

from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import MIN_IMAGES, SMALL

# Limits of the scores, in the units that `Scores` explains. Conventions.
MAX_REPEATED = 0.15
MAX_FINE = -1.5
MAX_PERIODICITY = 4.7
MIN_DETAIL = -2.6


class Scores(NamedTuple):
    """Medians over the images of a set.

    Args:
        repeated: Share of rows, or of columns, that equal their neighbor: the smaller of the two
            shares.
        fine: log10 of the ratio of the power at the finest scales to that at
            middle scales, plus `detail`.
        periodicity: Natural logarithm of the ratio of peak to median in the spectrum of the
            roughness, along the axis with the larger ratio.
        detail: log10 of the ratio of the power at fine scales to that at coarse
            scales.
    """

    repeated: float
    fine: float
    periodicity: float
    detail: float


def resampling_hints(gray: np.ndarray) -> list[Hint]:
    """Returns the hints for gray images without borders, `(n, height, width)`, of any range."""
    if len(gray) < MIN_IMAGES or min(gray.shape[1:]) < SMALL:  # their spectra have too few points
        return []
    s = scores(gray)
    if s.repeated > MAX_REPEATED:
        text = (
            f"{s.repeated:.0%} of the rows and columns repeat their neighbour: the images look "
            "enlarged with interpolation='nearest'. Networks are trained on smoothly resized ones."
        )
        return [Hint("nearest_enlarged", text, 0.95)]
    if s.detail < MIN_DETAIL or s.periodicity > MAX_PERIODICITY:
        text = (
            "The images hold little fine detail for their size: they look enlarged from smaller "
            "ones, or blurred. If larger originals exist, resize those."
        )
        return [Hint("enlarged", text, 0.7 if s.periodicity > MAX_PERIODICITY else 0.5)]
    if s.fine > MAX_FINE:
        text = (
            "The finest scales are unusually strong: the images may have been reduced without "
            "antialiasing, or by nearest neighbour. Try `keras.ops.image.resize(..., "
            "antialias=True)`."
        )
        return [Hint("no_antialiasing", text, 0.5)]
    return []


def scores(gray: np.ndarray) -> Scores:
    """Returns the scores of one set of images, `(n, height, width)`."""
    gray = np.asarray(gray) / (np.abs(gray).max() + 1e-30)  # safe to square in float32
    axes = (gray, np.ascontiguousarray(gray.transpose(0, 2, 1)))
    bands = [_bands(g) for g in axes]
    both = {name: bands[0][name] + bands[1][name] for name in bands[0]}
    fine = np.log10(both["finest"] / both["middle"]) + np.log10(both["fine"] / both["coarse"])
    return Scores(
        repeated=float(np.median(np.minimum(*(_repeated(g) for g in axes)))),
        fine=float(np.median(fine)),
        periodicity=float(np.median(np.maximum(*(_periodicity(g) for g in axes)))),
        detail=float(np.median(np.log10(both["fine"] / both["coarse"]))),
    )


def _repeated(gray: np.ndarray) -> np.ndarray:
    """Returns the share of columns that equal the previous column and are not flat."""
    same = (gray[:, :, 1:] == gray[:, :, :-1]).all(axis=1)
    flat = (gray == gray[:, :1]).all(axis=1)[:, 1:]
    return (same & ~flat).mean(axis=1)


def _bands(gray: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the median power along the width in bands of frequency (cycles per pixel)."""
    window = np.hanning(gray.shape[2]).astype(gray.dtype)
    centred = gray - gray.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.rfft(centred * window, axis=2)) ** 2).mean(axis=1)
    frequency = np.fft.rfftfreq(gray.shape[2])
    limits = {
        "finest": (0.42, 0.5),
        "fine": (0.3, 0.5),
        "middle": (0.2, 0.25),
        "coarse": (0.05, 0.1),
    }
    # A floor far below the power of any picture avoids a division by zero for flat pictures.
    floor = 1e-9 * power.sum(axis=1) + 1e-30
    return {
        name: np.median(power[:, (frequency >= low) & (frequency < high)], axis=1) + floor
        for name, (low, high) in limits.items()
    }


def _periodicity(gray: np.ndarray) -> np.ndarray:
    """Returns `Scores.periodicity` of each image along the width, `(n,)`.

    The roughness of a column is the mean size of the second difference along the width.
    """
    rough = np.abs(gray[:, :, :-2] - 2 * gray[:, :, 1:-1] + gray[:, :, 2:]).mean(axis=1)
    level = rough.mean(axis=1, keepdims=True)
    trace = np.log(rough + 1e-2 * level + 1e-30)
    window = np.ones(9) / 9
    # Subtracting the running mean over nine columns leaves only fast changes.
    trace = trace - np.stack(
        [np.convolve(np.pad(row, 4, mode="edge"), window, "valid") for row in trace]
    )
    power = np.abs(np.fft.rfft(trace * np.hanning(trace.shape[1]), axis=1)) ** 2
    frequency = np.fft.rfftfreq(trace.shape[1])
    # JPEG blocks repeat every eight pixels, so their frequencies are left out.
    eighths = np.abs(frequency * 8 - np.round(frequency * 8)) < 8 * 2.5 / trace.shape[1]
    power = power[:, (frequency > 0.12) & ~eighths]
    return np.log((power.max(axis=1) + 1e-30) / (np.median(power, axis=1) + 1e-30))
