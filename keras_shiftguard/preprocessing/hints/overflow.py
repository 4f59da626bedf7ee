"""Overflow of 8-bit numbers: brightness that rises past white begins again at black.

`image * 1.4` or `image + 50` in uint8 does so. In a picture, brightness rises over several pixels.
So where it overflows, it rises, jumps down to black, and rises on. The edge of a black letter on
white paper is a jump as well, but nothing rises around it.
"""

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import FIRST_IMAGES, QUARTER
from keras_shiftguard.statistics.sketches.attributes import MIN_SIDE

JUMP = 160.0  # a jump is larger, in gray levels; a rise is smaller than `QUARTER`. A convention.
# Overflow, if so many of all neighbors are jumps within a rise, so many of all jumps, and so many
# times more than jumps with a fall on both sides. Photos that overflow have at least .0018, .12 and
# 9; photos and print have hardly any, white noise has less than .07 of all jumps, and edges between
# noisy areas 1.8 times as many. Chosen on the collections of
# `examples/benchmarks/verdict_corpus.py`.
MIN_SHARE, MIN_SHARE_OF_JUMPS, MIN_RATIO = 0.001, 0.07, 5


def overflow_hints(images: np.ndarray, observed: InputConvention) -> list[Hint]:
    """Returns a hint if 8-bit values have overflowed."""
    if not observed.is_known or min(images.shape[1:3]) < MIN_SIDE:
        return []
    scale, offset = np.asarray(observed.scale), np.asarray(observed.offset)
    if scale.size not in (1, images.shape[-1]):
        return []
    raw = ((images[:FIRST_IMAGES] - offset) / scale).astype("float32")
    rising, falling, jumps, number = 0, 0, 0, 0
    for axis in (1, 2):
        along = np.moveaxis(raw, axis, 0)
        number += along[3:].size
        # Jumps are rare, so only their neighbors are looked at.
        places = np.nonzero(np.abs(along[1:-2] - along[2:-1]) > JUMP)
        end = len(along) - 3
        first, before, after, last = (along[i : end + i][places] for i in range(4))
        up = np.sign(before - after)  # 1 where bright is followed by dark
        steps = np.stack([(before - first) * up, (last - after) * up])
        is_jump = np.all(np.abs(steps) < QUARTER, axis=0) & ((after - before) * up + 256 < QUARTER)
        jumps += len(up)
        rising += int(np.sum(is_jump & np.all(steps > 0, axis=0)))
        falling += int(np.sum(is_jump & np.all(steps < 0, axis=0)))
    if rising < max(MIN_SHARE * number, MIN_SHARE_OF_JUMPS * jumps, MIN_RATIO * falling):
        return []
    text = (
        f"8-bit numbers seem to have overflowed: at {rising:,} places the brightness rises past "
        "white and begins again at black, as `image * 1.4` does in uint8. Compute brightness and "
        "contrast in float32, and clip to the range of the pixels."
    )
    return [Hint("overflow", text, 0.8)]
