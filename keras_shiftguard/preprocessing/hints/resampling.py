"""Hints on how images were resized, from repeated pixels and spectra.

If images are reduced with averages (antialiasing), little power is left at the finest scale. If
they are reduced by picking or blending single pixels, the power of finer scales is folded into the
finest scale. If images are enlarged, the finest scales are empty, or the weights of the
interpolation are periodic along each axis (Popescu and Farid, 2005). Single photos differ in
sharpness for other reasons, so each score is the median over a set of images. The limits come from
real photos: tests/preprocessing/hints/test_image_hints.py measures how often each hint is right and
wrong.
"""

import numpy as np

from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import MIN_IMAGES, SMALL

# Limits of the scores, which `_scores` explains. Conventions.
MAX_REPEATED = 0.15
MAX_FINE = -1.5
MAX_PERIODICITY = 4.7
MIN_DETAIL = -2.6


def resampling_hints(gray: np.ndarray) -> list[Hint]:
    """Returns the hints for gray images without borders, `(n, height, width)`, of any range."""
    if len(gray) < MIN_IMAGES or min(gray.shape[1:]) < SMALL:  # their spectra have too few points
        return []
    repeated, fine, periodicity, detail = _scores(gray)
    if repeated > MAX_REPEATED:
        text = (
            f"{repeated:.0%} of the rows and columns repeat their neighbour: the images look "
            "enlarged with interpolation='nearest'. Networks are trained on smoothly resized ones."
        )
        return [Hint("nearest_enlarged", text, 0.95)]
    if detail < MIN_DETAIL or periodicity > MAX_PERIODICITY:
        text = (
            "The images hold little fine detail for their size: they look enlarged from smaller "
            "ones, or blurred. If larger originals exist, resize those."
        )
        return [Hint("enlarged", text, 0.7 if periodicity > MAX_PERIODICITY else 0.5)]
    if fine > MAX_FINE:
        text = (
            "The finest scales are unusually strong: the images may have been reduced without "
            "antialiasing, or by nearest neighbour. Try `keras.ops.image.resize(..., "
            "antialias=True)`."
        )
        return [Hint("no_antialiasing", text, 0.5)]
    return []


def _scores(gray: np.ndarray) -> tuple[float, float, float, float]:
    """Returns four medians over the images.

    Returns:
        The share of rows, or of columns, that equal their neighbor: the smaller of the two shares.
        log10 of the ratio of the power at the finest scales to that at middle scales, plus the
        last number. The larger `_periodicity` of the two axes. log10 of the ratio of the power at
        fine scales to that at coarse scales.
    """
    gray = np.asarray(gray) / (np.abs(gray).max() + 1e-30)  # safe to square in float32
    axes = (gray, np.ascontiguousarray(gray.transpose(0, 2, 1)))
    finest, fine, middle, coarse = _bands(axes[0]) + _bands(axes[1])
    detail = np.log10(fine / coarse)
    repeated = np.minimum(*(_repeated(g) for g in axes))
    periodicity = np.maximum(*(_periodicity(g) for g in axes))
    each = (repeated, np.log10(finest / middle) + detail, periodicity, detail)
    one, two, three, four = (float(np.median(values)) for values in each)
    return one, two, three, four


def _repeated(gray: np.ndarray) -> np.ndarray:
    """Returns the share of columns that equal the previous column and are not flat."""
    same = (gray[:, :, 1:] == gray[:, :, :-1]).all(axis=1)
    flat = (gray == gray[:, :1]).all(axis=1)[:, 1:]
    return (same & ~flat).mean(axis=1)


def _bands(gray: np.ndarray) -> np.ndarray:
    """Returns the median power along the width, from the finest to the coarsest band, `(4, n)`."""
    window = np.hanning(gray.shape[2]).astype(gray.dtype)
    centred = gray - gray.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.rfft(centred * window, axis=2)) ** 2).mean(axis=1)
    frequency = np.fft.rfftfreq(gray.shape[2])
    limits = ((0.42, 0.5), (0.3, 0.5), (0.2, 0.25), (0.05, 0.1))  # cycles per pixel
    # A floor far below the power of any picture avoids a division by zero for flat pictures.
    floor = 1e-9 * power.sum(axis=1) + 1e-30
    bands = [power[:, (frequency >= low) & (frequency < high)] for low, high in limits]
    return np.stack([np.median(band, axis=1) for band in bands]) + floor


def _periodicity(gray: np.ndarray) -> np.ndarray:
    """Returns `Scoreperiodicity` of each image along the width, `(n,)`.

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
