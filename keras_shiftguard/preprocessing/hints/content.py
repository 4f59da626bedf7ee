"""Hints from the content of images: broken, flat or duplicate images, and overflow.

Images are `(n, height, width, channels)` in all functions.
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


def nonfinite_hints(images: np.ndarray) -> tuple[list[Hint], np.ndarray]:
    """Returns the hints (one or none), and the images whose values are all finite."""
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if finite.all():
        return [], images
    text = f"{_number_of(~finite)} hold NaN or infinite values."
    return [Hint("nonfinite", text, 1.0)], images[finite]


def constant_hints(images: np.ndarray) -> tuple[list[Hint], np.ndarray]:
    """Returns the hints (one or none), and the images that are not one flat color."""
    flat = (images == images[:, :1, :1]).all(axis=(1, 2, 3))
    if not flat.any() or images.shape[1] * images.shape[2] == 1:
        return [], images
    text = f"{_number_of(flat)} are one flat colour."
    return [Hint("constant", text, 1.0)], images[~flat]


def duplicate_hints(images: np.ndarray) -> list[Hint]:
    """Returns a hint if images are exact copies of others."""
    # About 32 x 32 pixels of each image are compared, which is enough to distinguish two photos.
    step = max(1, min(images.shape[1:3]) // 32)
    seen = {image[::step, ::step].tobytes() for image in images}
    copies = len(images) - len(seen)
    if not copies or images.shape[1] * images.shape[2] < 16:
        return []
    text = f"{copies} of {len(images)} images are exact copies of others."
    return [Hint("duplicates", text, 0.9)]


def whole_division_hints(images: np.ndarray) -> list[Hint]:
    """Returns a hint if all values of color images are 0 or 1, as in `x // 255` of whole numbers.

    Masks of classes look alike. Gray images are left out, since digits are often black and white.
    """
    if images.shape[-1] != 3 or not len(images) or (images == images[..., :1]).all():
        return []
    if not ((images == 0) | (images == 1)).all():
        return []
    text = (
        "All values are 0 or 1. If these are photos, they were divided as whole numbers, and no "
        "gray level is left: divide with x / 255.0, not x // 255."
    )
    return [Hint("whole_division", text, 1.0)]


def overflow_hints(images: np.ndarray, observed: InputConvention) -> list[Hint]:
    """Returns a hint if 8-bit values have overflowed.

    `image * 1.4` in uint8 does so. In a picture, brightness rises over several pixels. So where it
    overflows, it rises, jumps down to black, and rises on. The edge of a black letter on white
    paper is a jump as well, but nothing rises around it.
    """
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


def without_flat_edges(images: np.ndarray) -> np.ndarray:
    """Returns the images without a flat edge: that of a frame would dominate the finest detail."""
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    is_flat = np.stack([(edge == edge[:, :1]).all(axis=(1, 2)) for edge in edges])
    return images[~is_flat.any(axis=0)]


def _number_of(mask: np.ndarray) -> str:
    """Returns words such as "3 of 8 images"."""
    count, total = int(mask.sum()), len(mask)
    return f"All {total} images" if count == total else f"{count} of {total} images"
