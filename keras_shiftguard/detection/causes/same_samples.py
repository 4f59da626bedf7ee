"""Recognition of repeated passes over the same samples, perhaps with random augmentation.

An epoch repeats the samples of the one before, in another order. Its sums are then equal up to
float32 rounding. Sums of two independent draws of samples differ by about a standard error,
which is a thousand times as much. Sums over all samples do not change if images are mirrored,
but the mean embedding does. In a long pass it is measured on a part of the samples, which may be
another part in each pass. So it is only used if it covers all samples, or if the class counts of
the parts are equal, which would be very unlikely for different parts.
"""

from collections.abc import Iterator

import numpy as np

from keras_shiftguard.profiles import InputProfile, InputSummary

# Largest rounding error of float32 sums around a pivot. ROUNDING is relative to the spread between
# samples (the error is about 1e-7 sqrt(batches)), VALUE_ROUNDING relative to the values.
ROUNDING = 1e-5
VALUE_ROUNDING = 2e-6
WAVE_ROUNDING = 1e-4  # of mean cosines and sines, whose arguments may be large
MAX_CHANCE = 1e-5  # largest probability that parts of other samples have the same class counts
MAX_DRAW_ERRORS = 3.0  # two draws of one distribution differ by at most so many standard errors
# Means of the same samples differ by at most so many standard errors. The means of two independent
# draws are as near with a probability of 0.011; six independent means all are with one of 2e-12.
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
    same_rows = _same_rows(first, second)
    pairs = [(first.inputs[name], second.inputs[name]) for name in first.inputs]
    return all(_same_input(one, other, same_rows) for one, other in pairs)


def randomised(first: InputProfile, second: InputProfile) -> bool:
    """Whether two passes went over the same samples, but randomised them, as augmentation does.

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
    same_rows = _same_rows(first, second)
    pairs = [(first.inputs[name], second.inputs[name]) for name in first.inputs]
    unshifted = all(_of_one_distribution(one, other) for one, other in pairs)
    return unshifted and any(not _same_input(one, other, same_rows) for one, other in pairs)


def _same_labels(first: InputProfile, second: InputProfile) -> bool:
    """Whether the labels of both passes have the same counts."""
    one, other = first.labels, second.labels
    return (
        one.num_samples == other.num_samples
        and one.num_ids == other.num_ids
        and np.array_equal(one.counts, other.counts)
    )


def _same_rows(first: InputProfile, second: InputProfile) -> bool:
    """Whether the embeddings of both passes were surely measured on the same samples."""
    one, other = (p.labels.by_class.count[:, 0] for p in (first, second))
    if not one.sum() or not np.array_equal(one, other):
        return False
    # The probability that another part of the samples has exactly these class counts is at most
    # the product of the largest densities of normal distributions, one for each class but the
    # largest, whose count follows from the others.
    measured_share = min(one.sum() / first.num_samples, 1.0)
    variance = np.sort(one[one > 0])[:-1] * (1 - measured_share)
    minus_log_chance = np.log(np.maximum(2 * np.pi * variance, 1)).sum() / 2
    return bool(minus_log_chance > -np.log(MAX_CHANCE))


def _of_one_distribution(first: InputSummary, second: InputSummary) -> bool:
    """Whether the samples of both passes may be two draws of one distribution."""
    return all(
        abs(one.mean - other.mean)
        <= MAX_DRAW_ERRORS * np.sqrt((one.std**2 + other.std**2) / np.maximum(one.count, 1))
        for one, other in (
            (first.sample_mean, second.sample_mean),
            (first.sample_std, second.sample_std),
        )
    )


def _same_input(first: InputSummary, second: InputSummary, same_rows: bool) -> bool:
    """Whether two summaries are of the same samples.

    Args:
        first: Summary of an input in one pass.
        second: Summary of the same input in another pass.
        same_rows: Whether the embeddings were measured on the same samples.
    """
    if (first.layout, first.num_channels) != (second.layout, second.num_channels):
        return False
    if first.nonfinite_samples != second.nonfinite_samples:
        return False
    for name in ("minimum", "maximum"):  # they do not depend on the order of the samples
        if not np.allclose(getattr(first, name), getattr(second, name), rtol=1e-6, atol=0):
            return False
    one, other = first.embedding, second.embedding
    if one.count == other.count and (same_rows or one.count == first.num_samples):
        # A mirrored image has the same sums, but another embedding.
        if np.abs(one.mean - other.mean).max(initial=0.0) > WAVE_ROUNDING:
            return False
    return all(
        np.all(np.abs(one - other) <= allowed) for one, other, allowed in _sums(first, second)
    )


def _sums(
    first: InputSummary, second: InputSummary
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields pairs of numbers that must agree, and by how much rounding may make them differ."""
    # `sample_std` is not used: the deviation of a nearly flat image is the square root of a
    # rounding error, which is a thousand times as large as other errors.
    for name in ("channels", "sample_mean"):
        one, other = getattr(first, name), getattr(second, name)
        yield one.count, other.count, np.zeros_like(one.count)
        size = np.abs(one.mean) + one.std
        spread = np.maximum(one.std, other.std)
        # Means may differ by rounding errors, but at most by a small part of the standard
        # error, so that other samples are not taken for the same.
        error = spread / np.sqrt(np.maximum(one.count, 1))
        rounding = ROUNDING * spread + VALUE_ROUNDING * size
        yield (
            one.mean,
            other.mean,
            np.minimum(rounding, np.maximum(MAX_SAME_ERRORS * error, 1e-7 * size)),
        )
        # A deviation that is small relative to the values consists of rounding errors.
        yield one.std, other.std, 10 * ROUNDING * spread + VALUE_ROUNDING * size
