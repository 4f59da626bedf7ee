"""Hints on how images were resized, from repeated pixels and spectra.

A resize that averages (antialiasing) leaves little power at the finest scale;
one that picks or blends single pixels folds the power of finer scales into it.
Enlarging leaves the finest scales empty, or interpolates with a weight that
comes back in a rhythm along each axis (Popescu and Farid, 2005). How sharp a
single photo is says nothing, so each score is the median over a set of images.
The limits come from real photos: tests/preprocessing/hints/test_image_hints.py measures how
often each hint is right and wrong.
"""

from typing import NamedTuple

import numpy as np

from keras_shiftguard.preprocessing.hints.hint import Hint

SMALLEST_SIDE = 64  # pixels: below that a spectrum has too few points
FEWEST_IMAGES = 4

REPEATED = 0.15  # share of columns (and rows) that equal their neighbour
ALIASED = -1.5  # log10 of power, see `Scores.fine`
RHYTHM = 4.7  # log of peak over median in the spectrum of the roughness
SMOOTH = -2.6  # log10 of power, finest half over coarse scales
SQUASHED = 0.32  # log10 of power along the width over that along the height


class Scores(NamedTuple):
    """Medians over the images of a set.

    Args:
        repeated: Share of rows and columns that repeat their neighbour.
        fine: Power of the finest scales, relative to coarser ones, twice over.
        rhythm: How strongly the roughness comes and goes along an axis.
        smooth: Power in the finest half of the scales, relative to coarse ones.
        stretch: Power along the width over power along the height.
    """

    repeated: float
    fine: float
    rhythm: float
    smooth: float
    stretch: float


def resampling_hints(gray: np.ndarray) -> list[Hint]:
    """Hints from `(n, height, width)` images without borders, any scale."""
    if len(gray) < FEWEST_IMAGES or min(gray.shape[1:]) < SMALLEST_SIDE:
        return []
    s = scores(gray)
    if s.repeated > REPEATED:
        text = (
            f"{s.repeated:.0%} of the rows and columns repeat their neighbour: the images look "
            "enlarged with interpolation='nearest'. Networks are trained on smoothly resized ones."
        )
        return [Hint("nearest_enlarged", text, 0.95)]
    hints = []
    if s.smooth < SMOOTH or s.rhythm > RHYTHM:
        text = (
            "The images hold little fine detail for their size: they look enlarged from smaller "
            "ones, or blurred. If larger originals exist, resize those."
        )
        hints.append(Hint("enlarged", text, 0.7 if s.rhythm > RHYTHM else 0.5))
    elif s.fine > ALIASED:
        text = (
            "The finest scales are unusually strong: the images may have been reduced without "
            "antialiasing, or by nearest neighbour. Try `keras.ops.image.resize(..., "
            "antialias=True)`."
        )
        hints.append(Hint("no_antialiasing", text, 0.5))
    if abs(s.stretch) > SQUASHED:
        way = ("narrower", "wider")[s.stretch < 0]
        text = (
            f"There is {10 ** abs(s.stretch):.1f} times the detail along one axis than along the "
            f"other: the images may have been made {way} than they were. Crop or pad instead."
        )
        hints.append(Hint("squashed", text, 0.3))
    return hints


def scores(gray: np.ndarray) -> Scores:
    """The scores of one set of images, `(n, height, width)`."""
    gray = np.asarray(gray) / (np.abs(gray).max() + 1e-30)  # safe to square in float32
    axes = (gray, np.ascontiguousarray(gray.transpose(0, 2, 1)))
    bands = [_bands(g) for g in axes]
    both = {name: bands[0][name] + bands[1][name] for name in bands[0]}
    fine = np.log10(both["finest"] / both["middle"]) + np.log10(both["fine"] / both["coarse"])
    return Scores(
        repeated=float(np.median(np.minimum(*(_repeated(g) for g in axes)))),
        fine=float(np.median(fine)),
        rhythm=float(np.median(np.maximum(*(_rhythm(g) for g in axes)))),
        smooth=float(np.median(np.log10(both["fine"] / both["coarse"]))),
        stretch=float(np.median(np.log10(bands[0]["shape"] / bands[1]["shape"]))),
    )


def _repeated(gray: np.ndarray) -> np.ndarray:
    """Share of columns, of those that are not flat, that equal the one before."""
    same = (gray[:, :, 1:] == gray[:, :, :-1]).all(axis=1)
    flat = (gray == gray[:, :1]).all(axis=1)[:, 1:]
    return (same & ~flat).mean(axis=1)


def _bands(gray: np.ndarray) -> dict[str, np.ndarray]:
    """Median power along the width in bands of frequency (cycles a pixel)."""
    window = np.hanning(gray.shape[2]).astype(gray.dtype)
    centred = gray - gray.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.rfft(centred * window, axis=2)) ** 2).mean(axis=1)
    frequency = np.fft.rfftfreq(gray.shape[2])
    limits = {
        "finest": (0.42, 0.5),
        "fine": (0.3, 0.5),
        "middle": (0.2, 0.25),
        "coarse": (0.05, 0.1),
        "shape": (0.15, 0.45),
    }
    # A floor far below any picture keeps flat ones from dividing by zero.
    floor = 1e-9 * power.sum(axis=1) + 1e-30
    return {
        name: np.median(power[:, (frequency >= low) & (frequency < high)], axis=1) + floor
        for name, (low, high) in limits.items()
    }


def _rhythm(gray: np.ndarray) -> np.ndarray:
    """Peak over median of the spectrum of the roughness along the width."""
    rough = np.abs(gray[:, :, :-2] - 2 * gray[:, :, 1:-1] + gray[:, :, 2:]).mean(axis=1)
    level = rough.mean(axis=1, keepdims=True)
    trace = np.log(rough + 1e-2 * level + 1e-30)
    smooth = np.ones(9) / 9
    trace = trace - np.stack(
        [np.convolve(np.pad(row, 4, mode="edge"), smooth, "valid") for row in trace]
    )
    power = np.abs(np.fft.rfft(trace * np.hanning(trace.shape[1]), axis=1)) ** 2
    frequency = np.fft.rfftfreq(trace.shape[1])
    # The blocks of JPEG make a rhythm of their own, of eight pixels.
    eighths = np.abs(frequency * 8 - np.round(frequency * 8)) < 8 * 2.5 / trace.shape[1]
    power = power[:, (frequency > 0.12) & ~eighths]
    return np.log((power.max(axis=1) + 1e-30) / (np.median(power, axis=1) + 1e-30))
