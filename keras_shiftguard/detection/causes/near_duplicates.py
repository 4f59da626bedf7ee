"""Recognition of dependent samples: frames of a clip or windows of a series, one after another.

The tests assume independent samples. But ten frames of one clip hold about as much evidence as one
frame.
"""

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import BEYOND_CHANCE

SIDE = 8  # images are averaged to about so many pixels a side. A convention.
# Smallest number of near pairs and of distant pairs. A convention.
MIN_PAIRS = 20
MAX_LAG = 64  # samples that are alike over longer distances are sorted, or drift. A convention.
# Samples are dependent up to the distance at which this part of their correlation is left. A
# convention.
MIN_LEFT = 0.1


def independent_share(
    images: np.ndarray,
    labels: np.ndarray | None,
    first: bool = False,
    positions: np.ndarray | None = None,
) -> float:
    """Estimates the share of a stream's samples that are independent, in [0, 1].

    Distances between neighbors are compared with those between distant images. The mean of its
    class is taken off each image, so a stream that is merely sorted by class is not called
    dependent.

    Args:
        images: Images in the order of the stream, 4D; or rows of a table, or sequences, 2D or 3D.
            Token ids are never called dependent.
        labels: Class ids, `(samples,)`, or None.
        first: Whether the channels come first.
        positions: Positions of the images in the stream, `(samples,)`. Only images at consecutive
            positions are neighbors. None if no image of the stream is left out.
    """
    n = len(images)
    are_ids = images.ndim == 2 and images.dtype.kind in "iu"
    if n < 2 * MIN_PAIRS or are_ids:
        return 1.0
    views = [compact(images, first)]
    if images.ndim == 3:
        views.append(_standardised(images))
    if labels is not None:
        views = [_without_classes(x, np.asarray(labels)) for x in views]
    at = np.arange(n) if positions is None else np.asarray(positions)
    return min(_share(x, at) for x in views)


def _without_classes(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns rows minus the mean of their class."""
    _, ids, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), x.shape[1]))
    np.add.at(sums, ids, x)
    return np.asarray(x - (sums / counts[:, None])[ids])


def _share(x: np.ndarray, at: np.ndarray) -> float:
    """Returns the independent share of rows, from the distances of near and of distant pairs.

    The share is one divided by one plus twice the sum of the autocorrelations (Kish's design effect
    for groups of rows, one after another). `x` are the rows in the order of the stream, `(samples,
    numbers)`, and `at` their positions in the stream.
    """
    n = len(x)
    far = np.arange(n - n // 2)
    distant, distant_error = _mean(x[far], x[far + n // 2])
    if not distant:
        return 1.0  # all rows are identical, so neighbors are no more alike than others
    first, total, last = 0.0, 0.0, 0.0
    for lag in range(1, min(n // 4, MAX_LAG) + 1):
        start = np.arange(n - lag)
        start = start[at[start + lag] - at[start] == lag]
        if len(start) < MIN_PAIRS:
            # Too few rows with this distance are kept, so a series with this first correlation is
            # assumed.
            total += last * first / max(1 - first, 1e-6)
            break
        near, near_error = _mean(x[start], x[start + lag])
        last, error = 1 - near / distant, np.hypot(near_error, distant_error) / distant
        if lag == 1:
            first = last
            least = BEYOND_CHANCE * error  # neighbors are surely nearer than distant images
        else:
            least = max(MIN_LEFT * first, error)
        if last < least:
            break
        total += last
    else:
        # The rows are sorted, or they drift: this says little about the number of independent ones.
        total = first / max(1 - first, 1e-6)
    return float(1 / (1 + 2 * total))


def _mean(rows: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Returns the mean squared distance of pairs of rows, and its standard error."""
    distances = ((rows - others) ** 2).mean(axis=1)
    return float(distances.mean()), float(distances.std() / np.sqrt(len(distances)))


def compact(x: np.ndarray, first: bool = False) -> np.ndarray:
    """Returns samples as rows of few numbers with a mean of 0, `(samples, numbers)`.

    Images are reduced to about `SIDE` pixels a side. Of a window of a series, only mean, spread,
    mean step and slope of each channel are left: the next window has other values at each place,
    but nearly the same of these. `x` are images, 4D, rows of a table, 2D, or sequences, 3D.
    """
    x = np.where(np.isfinite(x), x, 0.0).astype("float64")
    if x.ndim == 3:
        half = x.shape[1] // 2
        slope = x[:, half:].mean(axis=1) - x[:, :half].mean(axis=1) if half else x[:, 0]
        steps_over = np.abs(np.diff(x, axis=1)).sum(axis=1)
        x = np.concatenate([x.mean(axis=1), x.std(axis=1), steps_over, slope], axis=1)
    if x.ndim != 4:
        return _standardised(x)
    x = np.moveaxis(x, 1, 3) if first else x
    steps = [max(side // SIDE, 1) for side in x.shape[1:3]]
    sizes = [side // step for side, step in zip(x.shape[1:3], steps, strict=True)]
    x = x[:, : sizes[0] * steps[0], : sizes[1] * steps[1]]
    x = x.reshape(len(x), sizes[0], steps[0], sizes[1], steps[1], -1).mean(axis=(2, 4))
    x = x.reshape(len(x), -1)
    # One scale for all pixels, because dark corners must not count as much as the object.
    return np.asarray((x - x.mean(axis=0)) / max(float(x.std(axis=0).mean()), 1e-12))


def _standardised(rows: np.ndarray) -> np.ndarray:
    """Returns rows or sequences as rows whose columns have the same spread."""
    x = rows.reshape(len(rows), -1).astype("float64")
    x = np.where(np.isfinite(x), x, 0.0)
    return np.asarray((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-30))
