"""Are two passes the same samples, or the same samples but for random augmentation?

An epoch repeats the samples of the one before, in another order. Its sums are
then the same but for float32 rounding. That is told apart from a fresh draw of
the same world by how far apart two draws would be: a standard error or so,
which is a thousand times as much. Sums over all samples tell, but are blind to mirrored
images. Costly details are not, but they may have been measured on other rows:
they count only where all rows were measured, or where the class counts of the
measured rows are so equal that they must be the same.
"""

from collections.abc import Iterator

import numpy as np

from keras_shiftguard.profiles import InputProfile, InputSummary

# float32 sums of a batch around a pivot: relative to the spread between samples
# the error is about 1e-7 sqrt(batches); relative to the values, of an average.
ROUNDING = 1e-5
OF_VALUE = 2e-6
WAVES = 1e-4  # of cosines and sines, whose arguments may be large
BY_CHANCE = 1e-5  # that other rows have the same class counts
ALIKE = 3.0  # standard errors between two draws
# In standard errors: two draws of the same world are nearer than this on each
# of six independent numbers by a chance of 1e-10 or so.
FAR = 0.02


def same_samples(first: InputProfile, second: InputProfile) -> bool:
    """Whether two passes went over the same samples, in whatever order.

    Args:
        first: One pass.
        second: Another.

    Returns:
        False also where there is nothing to tell by.
    """
    if first.num_samples != second.num_samples or set(first.inputs) != set(second.inputs):
        return False
    if not first.inputs or not _same_labels(first, second):
        return False
    rows = _same_rows(first, second)
    pairs = [(first.inputs[name], second.inputs[name]) for name in first.inputs]
    return all(_same_input(one, other, rows) for one, other in pairs)


def randomised(first: InputProfile, second: InputProfile) -> bool:
    """Whether the same samples came with other inputs, as augmentation does.

    Two passes with exactly the same number of samples of each class are the
    same samples, unless a stream draws from each class in turn. Inputs that
    changed for good between the passes are not called randomised: the passes
    must look like draws of one world.

    Args:
        first: One pass, with class labels.
        second: Another.

    Returns:
        False without labels, and for a single class.
    """
    labels = first.labels
    if not (labels.are_classes and second.labels.are_classes):
        return False
    if (labels.counts > 0).sum() < 2 or first.num_samples != second.num_samples:
        return False
    if set(first.inputs) != set(second.inputs) or not _same_labels(first, second):
        return False
    rows = _same_rows(first, second)
    pairs = [(first.inputs[name], second.inputs[name]) for name in first.inputs]
    alike = all(_alike(one, other) for one, other in pairs)
    return alike and any(not _same_input(one, other, rows) for one, other in pairs)


def _same_labels(first: InputProfile, second: InputProfile) -> bool:
    one, other = first.labels, second.labels
    return (
        one.num_samples == other.num_samples
        and one.num_ids == other.num_ids
        and np.array_equal(one.counts, other.counts)
    )


def _same_rows(first: InputProfile, second: InputProfile) -> bool:
    """Whether the costly details of both are certainly of the same samples."""
    one, other = (p.labels.by_class.count[:, 0] for p in (first, second))
    if not one.sum() or not np.array_equal(one, other):
        return False
    # How likely other rows would have had just these class counts.
    share = min(one.sum() / first.num_samples, 1.0)
    variance = np.sort(one[one > 0])[:-1] * (1 - share)
    return bool(np.log(np.maximum(2 * np.pi * variance, 1)).sum() / 2 > -np.log(BY_CHANCE))


def _alike(first: InputSummary, second: InputSummary) -> bool:
    """Whether the sample moments could be those of two draws of one world."""
    return all(
        abs(one.mean - other.mean)
        <= ALIKE * np.sqrt((one.std**2 + other.std**2) / np.maximum(one.count, 1))
        for one, other in (
            (first.sample_mean, second.sample_mean),
            (first.sample_std, second.sample_std),
        )
    )


def _same_input(first: InputSummary, second: InputSummary, rows: bool) -> bool:
    if (first.layout, first.num_channels) != (second.layout, second.num_channels):
        return False
    if first.nonfinite_samples != second.nonfinite_samples:
        return False
    for name in ("minimum", "maximum"):  # exact, whatever the order
        if not np.allclose(getattr(first, name), getattr(second, name), rtol=1e-6, atol=0):
            return False
    one, other = first.embedding, second.embedding
    if one.count == other.count and (rows or one.count == first.num_samples):
        # A mirrored image has the same sums, but not the same waves.
        if np.abs(one.mean - other.mean).max(initial=0.0) > WAVES:
            return False
    return all(
        np.all(np.abs(one - other) <= allowed) for one, other, allowed in _sums(first, second)
    )


def _sums(
    first: InputSummary, second: InputSummary
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of numbers that must agree, and how far rounding may take them apart."""
    # Not the samples' own deviations: that of a nearly flat image is a root of
    # rounding, a thousand times as large as other errors.
    for name in ("channels", "sample_mean"):
        one, other = getattr(first, name), getattr(second, name)
        yield one.count, other.count, np.zeros_like(one.count)
        size = np.abs(one.mean) + one.std
        spread = np.maximum(one.std, other.std)
        # A mean is off by rounding of the values, and no more than a small part
        # of what another draw would change, or a small n would hide nothing.
        error = spread / np.sqrt(np.maximum(one.count, 1))
        rounding = ROUNDING * spread + OF_VALUE * size
        yield one.mean, other.mean, np.minimum(rounding, np.maximum(FAR * error, 1e-7 * size))
        # A deviation far below the values is made of rounding.
        yield one.std, other.std, 10 * ROUNDING * spread + OF_VALUE * size
