"""Recognition of repeated passes over the same samples, perhaps with random augmentation.

An epoch repeats the samples of the previous epoch, in another order. The sums of their fingerprints
(`statistics/sketches/fingerprint.py`), to which every sample is added, are then equal up to float32
rounding. Sums of two independent draws of samples differ by about a standard error, which is a
thousand times as much.
"""

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import (
    BEYOND_CHANCE,
    SMALLEST_P,
    Floats,
    log_gamma,
)
from keras_shiftguard.profiles import InputProfile, InputSummary, LabelSummary

# Largest rounding errors of float32 sums around a pivot. ROUNDING is relative to the standard
# deviation over samples: the error is at most 1e-7 sqrt(128) = 1.1e-6, because the sums are read
# and reset every 128 batches, and the rest is a margin. VALUE_ROUNDING is relative to the values.
# Given by float32.
ROUNDING = 3e-6
VALUE_ROUNDING = 5e-7
# Largest difference of the means of the same samples, in standard errors. The means of two
# independent draws are this close with a probability of 0.011. The standard deviations have a limit
# of their own, see `_same_input`. A convention.
MAX_SAME_ERRORS = 0.02
# A pass may leave out this share of the samples, such as its last batch. A larger difference of two
# passes, BEYOND_CHANCE of the standard errors that such samples make, shows that samples have
# changed. A convention.
MAX_SHARE_LEFT_OUT = 0.03
# The same for the estimated number of such samples, see `are_near`. A convention.
MAX_NEAR_ERRORS = 2.5


def same_samples(first: InputProfile, second: InputProfile) -> bool:
    """Whether two passes went over the same samples, in any order; False if they are empty."""
    if first.num_samples != second.num_samples or set(first.inputs) != set(second.inputs):
        return False
    if not first.inputs or not _same_labels(first, second):
        return False
    return all(_same_input(first.inputs[name], second.inputs[name]) for name in first.inputs)


def is_augmented(first: InputProfile, latest: InputProfile) -> bool | None:
    """Whether two passes over training, or the labels of the latest, show that it is augmented.

    A shuffled pass that drops its last batch leaves out other samples each time. `latest` is
    `first` itself in the first pass. The result is True for samples that have changed, or labels
    that are mixtures; False for the same samples again; None if that is not known.
    """
    if latest.labels.are_mixed:
        return True
    if first is latest:
        return None
    if same_samples(first, latest):
        return False
    if _left_out_errors(first, latest) > BEYOND_CHANCE:
        return True
    # Of two classes, passes that leave out other samples often have the same numbers.
    has_classes = int((latest.labels.counts > 0).sum()) > 2
    return True if has_classes and randomised(first, latest) else None


def are_near(first: InputProfile, latest: InputProfile) -> bool:
    """Whether two passes differ no more than by the samples that each seems to have left out.

    If each leaves out k samples of C classes at random, the expected sum of (difference of the
    counts)^2 / (share of the class) is 2 k (C - 1). One such pass may be chance, if a crop changes
    little; two in a row show that samples do not change.
    """
    one, other = first.labels, latest.labels
    largest = _left_out_errors(first, latest) * float(np.sqrt(MAX_SHARE_LEFT_OUT))
    if not largest or not first.num_samples:
        return False
    seen = one.counts + other.counts > 0
    shares = (one.counts + other.counts)[seen] / (2 * first.num_samples)
    differences = (one.counts - other.counts)[seen].astype("float64")
    estimate = float((differences**2 / shares).sum()) / (2 * max(seen.sum() - 1, 1))
    return bool(largest < MAX_NEAR_ERRORS * np.sqrt(max(estimate, 1.0) / first.num_samples))


def _left_out_errors(first: InputProfile, latest: InputProfile) -> float:
    """Returns how far two passes differ if each has left out `MAX_SHARE_LEFT_OUT` of its samples.

    The unit is the standard error that is expected from the samples that were left out; the result
    is 0 if the passes cannot be compared.
    """
    one, other = first.labels, latest.labels
    if not (one.are_classes and other.are_classes) or one.counts.shape != other.counts.shape:
        return 0.0
    differences = np.abs(one.counts.astype("float64") - other.counts)
    if first.num_samples != latest.num_samples or set(first.inputs) != set(latest.inputs):
        return 0.0
    if differences.sum() > MAX_SHARE_LEFT_OUT * max(one.num_samples, 1):
        return 0.0
    errors = [0.0]
    for name in first.inputs:
        before, now = first.inputs[name].fingerprint, latest.inputs[name].fingerprint
        if not np.all(before.count) or not np.array_equal(before.count, now.count):
            return 0.0
        error = np.maximum(before.std, now.std) / np.sqrt(before.count)
        moved = np.abs(before.mean - now.mean) / np.maximum(error, 1e-30)
        errors.append(float(moved.max() / np.sqrt(2)))
    return max(errors) / float(np.sqrt(MAX_SHARE_LEFT_OUT))


def randomised(first: InputProfile, second: InputProfile) -> bool:
    """Whether two passes went over the same samples, but randomized them, as augmentation does.

    Two passes with exactly the same number of samples of each class are taken for the same samples.
    That is wrong if a stream draws from each class in turn. It may also be wrong by chance, with
    the probability that `chance_of_same_labels` returns. A permanent change between the passes is
    not called randomized: the passes must look like two draws of one distribution. The result is
    False without class labels, with a single class, or if the two passes have different inputs or
    different class counts.
    """
    labels = first.labels
    if not (labels.are_classes and second.labels.are_classes):
        return False
    if (labels.counts > 0).sum() < 2 or first.num_samples != second.num_samples:
        return False
    if set(first.inputs) != set(second.inputs) or not _same_labels(first, second):
        return False
    pairs = [(first.inputs[name], second.inputs[name]) for name in first.inputs]
    unshifted = all(_of_one_distribution(one, other) for one, other in pairs)
    # An input whose samples all have a missing value has no fingerprint, so it shows nothing.
    counted = [pair for pair in pairs if np.all([each.fingerprint.count > 0 for each in pair])]
    return unshifted and any(not _same_input(one, other) for one, other in counted)


def chance_of_same_labels(labels: LabelSummary, passes: int, share: float = 1.0) -> float:
    """Returns the probability that passes over different samples all have the same class counts.

    If the samples of all passes are divided at random, this is the probability that every pass gets
    the same number of samples of each class (multivariate hypergeometric distribution). `labels`
    are those of one of the `passes`, and `share` is the number of independent samples divided by
    the number of samples.

    Example:

    >>> from keras_shiftguard.profiles.labels import LabelSummary
    >>> one_each = LabelSummary(2, 2, np.array([1, 1]))
    >>> round(chance_of_same_labels(one_each, 2), 6)  # 4 of the 6 ways to divide two pairs
    0.666667
    """
    counts = labels.counts[labels.counts > 0] * share

    def log_ways(number: Floats) -> Floats:
        """Returns the log of the number of ways to give each pass `number` of the samples."""
        return log_gamma(passes * number + 1) - passes * log_gamma(number + 1)

    log_p = log_ways(counts).sum() - log_ways(np.array([counts.sum()]))[0]
    return float(np.clip(np.exp(log_p), SMALLEST_P, 1.0))


def _same_labels(first: InputProfile, second: InputProfile) -> bool:
    """Whether the labels of both passes have the same counts."""
    one, other = first.labels, second.labels
    return (
        one.num_samples == other.num_samples
        and one.num_ids == other.num_ids
        and np.array_equal(one.counts, other.counts)
    )


def _of_one_distribution(first: InputSummary, second: InputSummary) -> bool:
    """Whether the samples of both passes may be two draws of one distribution."""
    return all(
        abs(one.mean - other.mean)
        <= BEYOND_CHANCE
        * np.sqrt(one.std**2 / np.maximum(one.count, 1) + other.std**2 / np.maximum(other.count, 1))
        for one, other in (
            (first.sample_mean, second.sample_mean),
            (first.sample_std, second.sample_std),
        )
    )


def _same_input(first: InputSummary, second: InputSummary) -> bool:
    """Whether two summaries are of the same samples, by their fingerprints."""
    if (first.layout, first.num_channels) != (second.layout, second.num_channels):
        return False
    one, other = first.fingerprint, second.fingerprint
    if not np.all(one.count) or not np.array_equal(one.count, other.count):
        return False
    values = np.abs(first.mean).max(initial=0.0) + first.std.max(initial=0.0)
    spread = np.maximum(one.std, other.std)
    # Means may differ by rounding errors, but at most by a small part of the standard error, so
    # that other samples are not taken for the same.
    rounding = ROUNDING * spread + VALUE_ROUNDING * values
    error = spread / np.sqrt(one.count)
    allowed = np.minimum(rounding, np.maximum(MAX_SAME_ERRORS * error, 1e-7 * values))
    # A deviation that is small relative to the values consists of rounding errors.
    allowed_spread = 10 * ROUNDING * spread + VALUE_ROUNDING * values
    return bool(
        np.all(np.abs(one.mean - other.mean) <= allowed)
        and np.all(np.abs(one.std - other.std) <= allowed_spread)
    )
