"""Recognition of images that a stream has several times, as pairs or oversampling draw them."""

from collections import Counter

import numpy as np

MIN_COPIES = 10  # fewer equal images may be chance
MAX_SHARE = 0.02  # an image with a larger share is no sample: a missing picture, for example


def share_without_copies(images: np.ndarray, num_samples: int) -> float:
    """Estimates the share of a stream's samples that are independent, if some are copies.

    With `p`, the probability that two samples are the same, a mean of `n` samples has the error of
    `n / (1 + (n - 1) p)` independent ones.

    Args:
        images: Images that were drawn from the stream, `(images, ...)`.
        num_samples: Number of samples of the stream.

    Returns:
        The share, in (0, 1].
    """
    if not images.size:
        return 1.0
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    rows = rows[np.ptp(rows, axis=1) > 0]  # flat images are broken
    size = len(rows)
    counts = np.array(list(Counter(row.tobytes() for row in rows).values()), dtype="float64")
    counts = counts[counts <= max(MAX_SHARE * size, 2)]
    if size < 2 or (counts - 1).sum() < MIN_COPIES:
        return 1.0
    same = float((counts * (counts - 1)).sum()) / (size * (size - 1))
    return 1 / (1 + (num_samples - 1) * same)
