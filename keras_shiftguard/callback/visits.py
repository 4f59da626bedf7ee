"""How the model has seen the training samples: once, or before, so that it may know them by heart.

The accuracy on training samples that the model saw only once is honest. Samples that it saw more
often may be memorized. The training samples were seen before if the model was trained before the
fit, or if one epoch passes over the samples several times.
"""

from collections.abc import Set

import keras
import numpy as np

from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.explain.shift_cost import Visits
from keras_shiftguard.preprocessing.expected.trained_weights import has_trained_head
from keras_shiftguard.statistics.kept_samples import KeptSamples
from keras_shiftguard.statistics.stream import Stream

# Training repeats its samples if the kept ones include at least this many copies, and twice as
# large a share of copies as those of validation, where the copies may be natural.
MIN_COPIES, MIN_RATIO = 3, 2.0
# Training has several versions of a sample (rows of one subject, frames of one clip) if its nearest
# neighbors are nearer than this share of those of validation. Without such versions, shifts and
# augmentation left at least .85 on digits, Fashion-MNIST and two tables; subjects had up to .65.
MAX_NEARNESS = 0.75
# The same for windows of series in both streams, relative to the distance of a window of validation
# to the nearest one of training. Windows of recordings had up to .82, independent ones at least 1.
MAX_NEARNESS_ACROSS = 0.85
MAX_SAMPLES, MIN_SAMPLES = 512, 100  # of each stream, to find the nearest neighbors
# Images are averaged to about `SIDE` x `SIDE` pixels, and compared by so many principal components
# of training: then noise hardly counts. With all pixels, noise of half of the range left .55.
SIDE, COMPONENTS = 8, 6
# Two epochs have other samples if their kept samples have less than this share of the samples in
# common that chance gives, where chance gives at least so many.
MAX_COMMON, MIN_COMMON = 0.25, 20


def visits_of(shift: ShiftWatch, was_trained: bool, epoch: int, unseen: Cost | None) -> Visits:
    """Returns how the model has seen the training samples up to the end of an epoch.

    Args:
        shift: The comparisons of the streams.
        was_trained: Whether the model may have seen the samples before this fit, or several times
            in one epoch.
        epoch: The epoch, counted from 1.
        unseen: Result of `FirstPassAccuracy.minus_validation`.
    """
    # A fit that resumes an earlier one without its state begins at a later epoch.
    is_late = shift.is_first_visit and epoch > 1
    return Visits(
        is_first=shift.is_first_visit,
        was_trained=was_trained or is_late,
        is_unaugmented=shift.is_unaugmented,
        is_augmented=shift.is_augmented or shift.was_redrawn,
        lost_since_first=unseen,
    )


def is_trained(model: keras.Model) -> bool:
    """Whether the model was trained: its optimizer has made steps, or its head has a bias."""
    try:
        steps = getattr(getattr(model, "optimizer", None), "iterations", None)
        is_in_training = steps is not None and int(keras.ops.convert_to_numpy(steps)) > 0
        return is_in_training or has_trained_head(model)
    except Exception:  # the user's own optimizer or layer may raise anything
        return False


def repeats_samples(training: Stream, validation: Stream, columns_moved: bool = False) -> bool:
    """Whether the latest pass over training had samples, or versions of them, several times.

    This is so if an "epoch" is several passes (`repeat()` with `steps_per_epoch`), if the samples
    of rare classes are repeated, or if many samples are of one subject or clip.

    Args:
        training: Training, with its kept samples.
        validation: Validation, with its kept samples.
        columns_moved: Whether single columns of a table differ between the two. A shift, such as
            noise, then makes rows of validation distant from each other, too.
    """
    copies, size = _copies(training)
    natural, other_size = _copies(validation)
    if copies >= MIN_COPIES and copies * other_size > MIN_RATIO * natural * size:
        return True
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
    is_table = spec.layout == "features" and not spec.series
    if is_table and columns_moved:
        return False
    within, within_others = _distance(rows, rows), _distance(others, others)
    if within < MAX_NEARNESS * within_others:
        return True
    # Images and rows that changed are far from those of training, too. Series are compared by a few
    # numbers each, without their level, so a shift hardly moves them.
    across = _distance(others, rows)
    return spec.series and max(within, within_others) < MAX_NEARNESS_ACROSS * across


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
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    distances = squares - 2 * rows @ others.T
    if rows is others:
        np.fill_diagonal(distances, np.inf)
    return float(np.sqrt(np.maximum(np.median(distances.min(axis=1)), 0)))


def are_redrawn(before: Set[int], now: Set[int], num_samples: int) -> bool:
    """Whether augmentation surely changed the training samples between two epochs.

    Args:
        before: Result of `contents` in one epoch.
        now: The same in another epoch.
        num_samples: Number of training samples.
    """
    by_chance = len(before) * len(now) / max(num_samples, 1)
    return by_chance >= MIN_COMMON and len(before & now) < MAX_COMMON * by_chance


def contents(stream: Stream) -> Set[int]:
    """Returns a hash of each kept sample; none if its inputs have other numbers of samples."""
    return set(_hashes(stream))


def _copies(stream: Stream) -> tuple[int, int]:
    """Returns how many kept samples equal an earlier one, and how many samples are kept."""
    hashes = _hashes(stream)
    return len(hashes) - len(set(hashes)), max(len(hashes), 1)


def _hashes(stream: Stream) -> list[int]:
    rows = [kept.read()[0] for kept in stream.buffers.values()]
    size = min((len(each) for each in rows), default=0)
    if not size or len({len(each) for each in rows}) > 1:
        return []
    parts = [np.ascontiguousarray(each).reshape(size, -1) for each in rows]
    return [hash(b"".join(each[i].tobytes() for each in parts)) for i in range(size)]
