"""Recognition of samples that belong together: rows of one subject, frames of one clip.

If all samples of a subject are in one stream, as they should be, a model that knows the subjects of
training by heart is right more often on training. So the accuracy on training samples that the
model saw once is no measure of what a shift costs. The samples of a subject are near each other,
and far from those of the other stream.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.statistics.kept_samples import KeptSamples
from keras_shiftguard.statistics.stream import Stream

# Training has several versions of a sample (rows of one subject, frames of one clip) if its nearest
# neighbors are nearer than this share of those of validation. Without such versions, shifts and
# augmentation left at least .85 on digits, Fashion-MNIST and two tables; subjects had up to .65.
MAX_NEARNESS = 0.75
# The same for windows of series in both streams, relative to the distance of a window of validation
# to the nearest one of training. Windows of recordings had up to .82, independent ones at least 1.
MAX_NEARNESS_ACROSS = 0.85
# The same for rows of a table, if no column moved by MAX_MOVE standard deviations (other subjects
# move the columns by less), and if the rows of both streams come in clusters: to leave its own
# cluster, a row must go MIN_JUMP times as far as to the farthest row in it. Rows of distinct
# subjects had at least 1.32, independent rows of nine tables at most 1.25.
MAX_NEARNESS_OF_ROWS, MAX_MOVE = 0.8, 0.75
MIN_JUMP, MAX_IN_CLUSTER = 1.3, 64
MAX_SAMPLES, MIN_SAMPLES = 512, 100  # of each stream, to find the nearest neighbors
# Images are averaged to about `SIDE` x `SIDE` pixels, and compared by so many principal components
# of training: then noise hardly counts. With all pixels, noise of half of the range left .55.
SIDE, COMPONENTS = 8, 6

Moved = Literal["not", "little", "far"]


def columns_moved(findings: Iterable[Finding]) -> Moved:
    """Returns how far single columns of a table, or attributes of images, moved."""
    found = (f for f in findings if "/" in f.feature and f.kind == "covariate")
    largest = max((abs(finding.effect_size) for finding in found), default=0.0)
    return "far" if largest >= MAX_MOVE else "little" if largest else "not"


def remembered(known: dict[Moved, bool], streams: Mapping[str, Stream], moved: Moved) -> bool:
    """Returns `belong_together` of training and validation, which is found out once for `moved`."""
    if moved not in known:
        known[moved] = belong_together(streams["train"], streams["validation"], moved)
    return known[moved]


def belong_together(training: Stream, validation: Stream, moved: Moved = "not") -> bool:
    """Whether many samples of training are of one subject, clip or recording.

    Args:
        training: Training, with its kept samples.
        validation: Validation, with its kept samples.
        moved: How far single columns of a table moved. A shift, such as noise, makes rows of
            validation distant from each other, too.
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
    spec = kept[0][0].spec
    if spec.layout != "features":
        _, _, axes = np.linalg.svd(rows, full_matrices=False)
        rows, others = rows @ axes[:COMPONENTS].T, others @ axes[:COMPONENTS].T
    within, within_others = _distance(rows, rows), _distance(others, others)
    is_table = spec.layout == "features" and not spec.series
    if not (is_table and moved != "not") and within < MAX_NEARNESS * within_others:
        return True
    # Images and rows that changed are far from those of training, too. Series are compared by a few
    # numbers each, without their level, so a shift hardly moves them.
    limit = MAX_NEARNESS_ACROSS if spec.series else MAX_NEARNESS_OF_ROWS
    is_judged = spec.series or (is_table and moved == "little")
    nearest = max(within, within_others)  # 0 in a table of few different rows
    if not is_judged or not 0 < nearest < limit * _distance(others, rows):
        return False
    return spec.series or min(_jump(rows), _jump(others)) >= MIN_JUMP


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


def _distance(rows: np.ndarray, others: np.ndarray) -> float:
    """Returns the median distance of a row to the nearest other row of `others`."""
    return float(np.median(_distances(rows, others).min(axis=1)))


def _jump(rows: np.ndarray) -> float:
    """Returns the largest ratio of a row's distances to one neighbor and the next, as a median."""
    nearest = np.sort(_distances(rows, rows), axis=1)[:, : min(MAX_IN_CLUSTER, len(rows) - 1)]
    ratios = nearest[:, 1:] / np.maximum(nearest[:, :-1], 1e-12)
    return float(np.median(ratios.max(axis=1)))


def _distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the distances of rows to rows of `others`; infinite for a row to itself."""
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares - 2 * rows @ others.T, 0))
    if rows is others:
        np.fill_diagonal(distances, np.inf)
    return np.asarray(distances)
