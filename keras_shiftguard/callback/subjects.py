"""Recognition of samples that come in clusters: rows of one subject, windows of one recording.

A few subjects in each stream make other class mixes by chance, and then a mix is no fault. The
samples of a subject are near each other, and far from those of the other stream. Rows that stand
one after another are recognized by `near_duplicates.py`; these are shuffled.
"""

import numpy as np

from keras_shiftguard.statistics.kept_samples import KeptSamples
from keras_shiftguard.statistics.stream import Stream

# Samples come in clusters if the nearest neighbors within each stream are nearer than this share of
# those across the streams, and if a sample must go MIN_JUMP times as far to leave its own cluster
# as to the farthest sample in it. Rows of distinct subjects had at least 1.32, independent rows of
# nine tables at most 1.25. Without this rule, other subjects of a table alarm with 4 to 7 points.
MAX_NEARNESS, MIN_JUMP = 0.8, 1.3
MAX_IN_CLUSTER = 64
MAX_SAMPLES, MIN_SAMPLES = 512, 100  # of each stream, to find the nearest neighbors
SIDE = 8  # images are averaged to about so many pixels a side


def come_in_clusters(training: Stream, validation: Stream) -> bool:
    """Whether many samples of each stream are of one subject, clip or recording.

    Args:
        training: Training, with its kept samples.
        validation: Validation, with its kept samples.
    """
    kept = [list(stream.buffers.values()) for stream in (training, validation)]
    if any(len(buffers) != 1 for buffers in kept):
        return False
    rows, others = (_compact(*buffers) for buffers in kept)
    size = min(len(rows), len(others), MAX_SAMPLES)
    if size < MIN_SAMPLES or rows.shape[1:] != others.shape[1:]:
        return False
    known = np.isfinite(rows).all(axis=0) & np.isfinite(others).all(axis=0)
    rows, others = rows[:size, known], others[:size, known]
    within, within_others = _distances(rows, rows), _distances(others, others)
    nearest = max(_nearest(within), _nearest(within_others))  # 0 in a table of few different rows
    if not 0 < nearest < MAX_NEARNESS * _nearest(_distances(others, rows)):
        return False
    return min(_jump(within), _jump(within_others)) >= MIN_JUMP


def _compact(kept: KeptSamples) -> np.ndarray:
    """Returns kept samples as rows of few standardized numbers; no rows if they are no numbers."""
    x = kept.read()[0][:MAX_SAMPLES]
    if x.dtype.kind not in "fiu":
        return np.zeros((0, 1))
    x = x.astype("float64")
    is_image = x.ndim == 4
    if is_image:
        x = np.moveaxis(x, 1, 3) if kept.spec.layout == "channels_first" else x
        steps = [max(side // SIDE, 1) for side in x.shape[1:3]]
        sizes = [side // step for side, step in zip(x.shape[1:3], steps, strict=True)]
        x = x[:, : sizes[0] * steps[0], : sizes[1] * steps[1]]
        x = x.reshape(len(x), sizes[0], steps[0], sizes[1], steps[1], -1).mean(axis=(2, 4))
    elif x.ndim == 3:  # a window of a series is like the next one, but for the phase
        half = x.shape[1] // 2
        slope = x[:, half:].mean(axis=1) - x[:, :half].mean(axis=1) if half else x[:, 0]
        steps_over = np.abs(np.diff(x, axis=1)).sum(axis=1)
        x = np.concatenate([x.mean(axis=1), x.std(axis=1), steps_over, slope], axis=1)
    x = x.reshape(len(x), -1)
    std = x.std(axis=0)
    # One scale for all pixels, because dark corners must not count as much as the object.
    return (x - x.mean(axis=0)) / np.maximum(std.mean() if is_image else std, 1e-12)


def _nearest(distances: np.ndarray) -> float:
    """Returns the median distance of a row to the nearest other one."""
    return float(np.median(distances.min(axis=1)))


def _jump(distances: np.ndarray) -> float:
    """Returns the largest ratio of a row's distances to one neighbor and the next, as a median."""
    nearest = np.sort(distances, axis=1)[:, : min(MAX_IN_CLUSTER, len(distances) - 1)]
    ratios = nearest[:, 1:] / np.maximum(nearest[:, :-1], 1e-12)
    return float(np.median(ratios.max(axis=1)))


def _distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the distances of rows to rows of `others`; infinite for a row to itself."""
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares - 2 * rows @ others.T, 0))
    if rows is others:
        np.fill_diagonal(distances, np.inf)
    return np.asarray(distances)
