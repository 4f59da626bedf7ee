"""Hints from the content of images: broken, flat or duplicate images.

Images are `(n, height, width, channels)` in all functions.
"""

import numpy as np

from keras_shiftguard.preprocessing.hints.hint import Hint


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


def _number_of(mask: np.ndarray) -> str:
    """Returns words such as "3 of 8 images"."""
    count, total = int(mask.sum()), len(mask)
    return f"All {total} images" if count == total else f"{count} of {total} images"
