"""Hints from the content of images: broken, flat, duplicate, gray or framed images.

Images are `(n, height, width, channels)` in all functions.
"""

import numpy as np

from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.limits import MOST
from keras_shiftguard.statistics.large_images import LARGE

# Correlation between channels; it is lower in gray images with color noise. A convention.
MIN_GRAY_CORRELATION = 0.9999
MIN_FRAMED_SHARE = 0.25  # share of the images that must have bars. A convention.
MAX_UNFRAMED_SIDE = 32  # pixels; so small images are rarely letterboxed. A convention.
# Width of each of two opposite bars, as a share of the side of the image. A convention.
MIN_BAR_SHARE = 0.03


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


def gray_hints(images: np.ndarray) -> list[Hint]:
    """Returns a hint if the three channels are copies of one channel, up to scale and offset."""
    if images.shape[-1] != 3 or images.shape[1] * images.shape[2] < 16:
        return []
    # Of large images, a part of the pixels is enough; it need not be copied several times.
    pixels = images.reshape(len(images), -1, 3)[:, :: -(-images[0].size // LARGE)]
    pixels = pixels / (np.abs(pixels).max() + 1e-30)
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    products = np.einsum("npi,npj->nij", centred, centred, optimize=True)
    variance = np.diagonal(products, axis1=1, axis2=2)
    bound = MIN_GRAY_CORRELATION * np.sqrt(variance[:, :1] * variance)
    gray = (products[:, 0] >= bound).all(axis=1) & (variance > 0).all(axis=1)
    if gray.mean() < MOST:
        return []
    text = f"{_number_of(gray)} are gray, copied to three channels."
    return [Hint("gray_copied", text, 0.95)]


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


def frame_hints(images: np.ndarray) -> tuple[list[Hint], np.ndarray]:
    """Returns the hints on bars at two opposite edges, and the images without any flat edge.

    The image of an object on a plain background has flat edges on all four sides, and does not
    count as framed. No small images are called framed.
    """
    flat_rows = (images == images[:, :, :1]).all(axis=(2, 3))  # (n, height)
    flat_columns = (images == images[:, :1]).all(axis=(1, 3))
    top, bottom = _num_leading_flat(flat_rows), _num_leading_flat(flat_rows[:, ::-1])
    left, right = _num_leading_flat(flat_columns), _num_leading_flat(flat_columns[:, ::-1])
    height, width = images.shape[1:3]
    top_and_bottom = np.minimum(top, bottom) >= max(2, MIN_BAR_SHARE * height)
    left_and_right = np.minimum(left, right) >= max(2, MIN_BAR_SHARE * width)
    barred = (top_and_bottom & (left + right == 0)) | (left_and_right & (top + bottom == 0))
    plain = (top + bottom + left + right) == 0
    # Small objects on a plain background, such as clothes and digits, may reach two edges too.
    is_small = max(height, width) <= MAX_UNFRAMED_SIDE
    if is_small or barred.sum() < 2 or barred.mean() < MIN_FRAMED_SHARE:
        return [], images[plain]
    text = (
        f"{_number_of(barred)} have flat bars along two opposite edges: padded (letterboxed) to "
        "their size. Networks are usually trained on crops that fill the frame."
    )
    return [Hint("letterbox", text, 0.8)], images[plain]


def _num_leading_flat(flat: np.ndarray) -> np.ndarray:
    """Returns the number of flat rows at the beginning of each image; 0 if all rows are flat."""
    return np.asarray(np.where(flat.all(axis=1), 0, np.argmin(flat, axis=1)))


def _number_of(mask: np.ndarray) -> str:
    """Returns words such as "3 of 8 images"."""
    count, total = int(mask.sum()), len(mask)
    return f"All {total} images" if count == total else f"{count} of {total} images"
