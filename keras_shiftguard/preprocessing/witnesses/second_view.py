"""Second views of images for `trial.py`: cropped and mirrored, or shifted by some pixels."""

from zlib import crc32

import numpy as np

CROP = 0.7  # side of the crop, as a share of the side of the image. A convention.
# Images up to this side are shifted instead, because a crop of them shows too little. A convention.
SMALL = 48
MAX_MOVE = 2  # pixels by which small images are shifted. A convention.


def second_view(images: np.ndarray) -> np.ndarray:
    """Returns another view of each image, of the same size.

    Photos get a random crop, and half of them are mirrored. Small images are shifted. The random
    numbers are seeded by the image itself, so that an image always gets the same view.

    Args:
        images: `(n, height, width, channels)`, float.
    """
    move = max(images.shape[1:3]) <= SMALL
    views = []
    for image in images:
        random = np.random.default_rng(crc32(np.ascontiguousarray(image).tobytes()))
        if move:
            down, right = random.choice([-MAX_MOVE, MAX_MOVE], size=2)
            views.append(_moved(image, int(down), int(right)))
            continue
        view = _along(_along(image, random.random(), 0), random.random(), 1)
        views.append(view[:, ::-1] if random.random() < 0.5 else view)
    return np.stack(views)


def _along(image: np.ndarray, place: float, axis: int) -> np.ndarray:
    """Returns a crop of the image along one axis, stretched linearly to the full length."""
    length = image.shape[axis]
    start = place * (1 - CROP) * length
    at = np.clip(start + (np.arange(length) + 0.5) * CROP - 0.5, 0, length - 1)
    low = np.minimum(at.astype(int), length - 2)
    share = (at - low).astype(image.dtype)
    share = share[:, None, None] if axis == 0 else share[None, :, None]
    below, above = np.take(image, low, axis), np.take(image, low + 1, axis)
    return below + share * (above - below)


def _moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Returns the image shifted by some pixels; the gap is filled by repeating the edge."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return image[rows][:, columns]
