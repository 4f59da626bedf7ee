"""Recognition of samples that come in clusters: rows of one subject, windows of one recording.

A few subjects in each stream make other class mixes by chance, and then a mix is no fault. The
samples of a subject are near each other, and far from those of the other stream. Rows that stand
one after another are recognized by `near_duplicates.py`; these are shuffled.
"""

import numpy as np

from keras_shiftguard.detection.causes.near_duplicates import compact
from keras_shiftguard.detection.cost import MIN_SAMPLES
from keras_shiftguard.statistics.stream import Stream

# Samples come in clusters if the nearest neighbors within each stream are nearer than this share of
# those across the streams, and if a sample must go MIN_JUMP times as far to leave its own cluster
# as to the farthest sample in it. Rows of distinct subjects had at least 1.32, independent rows of
# nine tables at most 1.25. Without this rule, other subjects of a table alarm with 4 to 7 points.
# Conventions, checked in `examples/benchmarks/subjects.py`.
MAX_NEARNESS, MIN_JUMP = 0.8, 1.3
MAX_IN_CLUSTER = 64  # samples in a cluster; larger groups are classes. A convention.
MAX_SAMPLES = 512  # of each stream, to find the nearest neighbors. A convention.


def come_in_clusters(training: Stream, validation: Stream) -> bool:
    """Whether many samples of each stream are of one subject, clip or recording."""
    rows, others = _rows(training), _rows(validation)
    size = min(len(rows), len(others))
    if size < MIN_SAMPLES or rows.shape[1:] != others.shape[1:]:
        return False
    rows, others = rows[:size], others[:size]
    within, within_others = _distances(rows, rows), _distances(others, others)
    nearest = max(_nearest(within), _nearest(within_others))  # 0 in a table of few different rows
    if not 0 < nearest < MAX_NEARNESS * _nearest(_distances(others, rows)):
        return False
    return min(_jump(within), _jump(within_others)) >= MIN_JUMP


def _rows(stream: Stream) -> np.ndarray:
    """Returns kept samples as rows of few numbers; no rows of several inputs or of text."""
    kept = list(stream.buffers.values())
    x = kept[0].read()[0][:MAX_SAMPLES] if len(kept) == 1 else np.zeros((0, 1))
    if x.dtype.kind not in "fiu" or not len(x):
        return np.zeros((0, 1))
    return compact(x, kept[0].spec.layout == "channels_first")


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
