"""Overflow of 8-bit numbers: brightness that rises past white begins again at black.

`image * 1.4` or `image + 50` in uint8 does so. In a picture, brightness rises over several pixels.
So where it overflows, it rises, jumps down to black, and rises on. The edge of a black letter on
white paper is a jump as well, but nothing rises around it.
"""

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.hints.hint import Hint

JUMP, RISE = 160.0, 64.0  # a jump is larger, a rise between neighbors smaller, in gray levels
# Overflow, if so many of all neighbors are jumps within a rise, and so many of all jumps. Photos
# that overflow have at least .0025 and .085; photos, digits and printed text that do not, at most
# .003 and .047. Chosen on the collections of `verdict_corpus.py`, at 96 pixels.
MIN_SHARE, MIN_SHARE_OF_JUMPS = 0.001, 0.07
MAX_IMAGES, MIN_SIDE = 16, 8


def overflow_hints(images: np.ndarray, observed: InputConvention) -> list[Hint]:
    """Returns a hint if 8-bit values have overflowed.

    Args:
        images: `(n, height, width, channels)`, as fed, finite.
        observed: Their convention; without a known one there is no hint.
    """
    if not observed.is_known or min(images.shape[1:3]) < MIN_SIDE:
        return []
    raw = (images[:MAX_IMAGES] - np.asarray(observed.offset)) / np.asarray(observed.scale)
    rising, jumps, number = 0, 0, 0
    for axis in (1, 2):
        along = np.moveaxis(raw, axis, 0)
        first, before, after, last = along[:-3], along[1:-2], along[2:-1], along[3:]
        jump = np.abs(before - after) > JUMP
        up = np.sign(before - after)  # 1 where bright is followed by dark
        steps = (before - first) * up, (after - before) * up + 256, (last - after) * up
        inside = np.all([(step > 0) & (step < RISE) for step in steps], axis=0)
        rising += int((jump & inside).sum())
        jumps += int(jump.sum())
        number += jump.size
    if rising < MIN_SHARE * number or rising < MIN_SHARE_OF_JUMPS * jumps:
        return []
    text = (
        f"8-bit numbers seem to have overflowed: at {rising:,} places the brightness rises past "
        "white and begins again at black, as `image * 1.4` does in uint8. Compute brightness and "
        "contrast in float32, and clip to the range of the pixels."
    )
    return [Hint("overflow", text, 0.8)]
