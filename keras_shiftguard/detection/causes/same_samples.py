"""Recognition of repeated passes: the same samples again, perhaps with random augmentation.

An epoch repeats the samples of the one before, in another order. Its sums are then equal up to
float32 rounding. Those of two independent draws of samples differ by about a standard error,
which is a thousand times as much. Sums over all samples do not change if images are mirrored.
The mean embedding does, but it may have been measured on other samples: it is only used if all
samples were measured, or if the class counts of the measured samples are equal and could not
be so by chance.
"""

from collections.abc import Iterator

import numpy as np

from keras_shiftguard.profiles import InputProfile, InputSummary

# Rounding errors of float32 sums of a batch around a pivot: relative to the spread between
# samples, which is about 1e-7 sqrt(batches), and relative to the values.
ROUNDING = 1e-5
VALUE_ROUNDING = 2e-6
WAVE_ROUNDING = 1e-4  # of cosines and sines, whose arguments may be large
MAX_CHANCE = 1e-5  # probability that other samples have the same class counts
MAX_DRAW_ERRORS = 3.0  # standard errors between two draws of the same distribution
# In standard errors. Two independent draws of the same distribution are nearer than this in all
# of six independent numbers with a probability of about 1e-10.
MAX_SAME_ERRORS = 0.02


def same_samples(first: InputProfile, second: InputProfile) -> bool:
    """Whether two passes went over the same samples, in any order.

    Args:
        first: Profile of one pass.
        second: Profile of another pass.

    Returns:
        Whether they are the same; False if the profiles are empty.
    """
    if first.num_samples != second.num_samples or set(first.inputs) != set(second.inputs):
        return False
    if not first.inputs or not _same_labels(first, second):
        return False
    rows = _same_rows(first, second)
    pairs = [(first.inputs[name], second.inputs[name]) for name in first.inputs]
    return all(_same_input(one, other, rows) for one, other in pairs)


def randomised(first: InputProfile, second: InputProfile) -> bool:
    """Whether two passes are the same samples with randomised inputs, as by augmentation.

    Two passes with exactly the same number of samples of each class are taken for the
    same samples, which is wrong only if a stream draws from each class in turn. A
    permanent change between the passes is not called randomised: the passes must look
    like two draws of one distribution.

    Args:
        first: Profile of one pass, with class labels.
        second: Profile of another pass.

    Returns:
        Whether the inputs are randomised; False without labels, or with a single class.
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
    """Whether the labels of both passes have the same counts."""
    one, other = first.labels, second.labels
    return (
        one.num_samples == other.num_samples
        and one.num_ids == other.num_ids
        and np.array_equal(one.counts, other.counts)
    )


def _same_rows(first: InputProfile, second: InputProfile) -> bool:
    """Whether the costly statistics of both passes were surely measured on the same samples."""
    one, other = (p.labels.by_class.count[:, 0] for p in (first, second))
    if not one.sum() or not np.array_equal(one, other):
        return False
    # Compares the probability of just these class counts in other samples with MAX_CHANCE.
    share = min(one.sum() / first.num_samples, 1.0)
    variance = np.sort(one[one > 0])[:-1] * (1 - share)
    return bool(np.log(np.maximum(2 * np.pi * variance, 1)).sum() / 2 > -np.log(MAX_CHANCE))


def _alike(first: InputSummary, second: InputSummary) -> bool:
    """Whether the sample moments could be those of two draws of one distribution."""
    return all(
        abs(one.mean - other.mean)
        <= MAX_DRAW_ERRORS * np.sqrt((one.std**2 + other.std**2) / np.maximum(one.count, 1))
        for one, other in (
            (first.sample_mean, second.sample_mean),
            (first.sample_std, second.sample_std),
        )
    )


def _same_input(first: InputSummary, second: InputSummary, rows: bool) -> bool:
    """Whether two summaries are of the same samples.

    Args:
        first: Summary of an input in one pass.
        second: Summary of the same input in another pass.
        rows: Whether the embeddings were measured on the same samples.
    """
    if (first.layout, first.num_channels) != (second.layout, second.num_channels):
        return False
    if first.nonfinite_samples != second.nonfinite_samples:
        return False
    for name in ("minimum", "maximum"):  # exact in any order
        if not np.allclose(getattr(first, name), getattr(second, name), rtol=1e-6, atol=0):
            return False
    one, other = first.embedding, second.embedding
    if one.count == other.count and (rows or one.count == first.num_samples):
        # A mirrored image has the same sums, but another embedding.
        if np.abs(one.mean - other.mean).max(initial=0.0) > WAVE_ROUNDING:
            return False
    return all(
        np.all(np.abs(one - other) <= allowed) for one, other, allowed in _sums(first, second)
    )


def _sums(
    first: InputSummary, second: InputSummary
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields pairs of numbers that must agree, and how far rounding may set them apart."""
    # The deviations of samples are not used: that of a nearly flat image is the square root of
    # a rounding error, which is a thousand times as large as other errors.
    for name in ("channels", "sample_mean"):
        one, other = getattr(first, name), getattr(second, name)
        yield one.count, other.count, np.zeros_like(one.count)
        size = np.abs(one.mean) + one.std
        spread = np.maximum(one.std, other.std)
        # Means may differ by rounding of the values, but at most by a small part of the
        # standard error, so that another draw is still recognised.
        error = spread / np.sqrt(np.maximum(one.count, 1))
        rounding = ROUNDING * spread + VALUE_ROUNDING * size
        yield (
            one.mean,
            other.mean,
            np.minimum(rounding, np.maximum(MAX_SAME_ERRORS * error, 1e-7 * size)),
        )
        # A deviation that is small relative to the values consists of rounding errors.
        yield one.std, other.std, 10 * ROUNDING * spread + VALUE_ROUNDING * size
