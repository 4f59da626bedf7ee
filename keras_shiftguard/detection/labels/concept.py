"""Detection of concept shift: some classes changed while the others did not.

Each class is compared with itself: the random projections of its samples in one stream with those
in the other. If all classes moved by a common change of level and contrast, the shift is called
covariate: the inputs changed, and the labels still follow from them. If some classes
moved beyond such a change while the rest did not, their labels have another meaning, or their
samples are collected in another way. This is an operational definition, because concept shift
cannot be distinguished from covariate shift in general. If every class moved in its own way
(mirrored images, noise in all labels), no class is reported.

The correlation of the projections within a class is not stored, so their p-values are combined by
Bonferroni's correction, which holds for any correlation.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.two_sample.tail_probabilities import student_t_sf
from keras_shiftguard.profiles import LabelSummary

MIN_SAMPLES = 20  # samples that a class must have in each stream to be compared
# Number of classes that must be compared, since each is compared with the median of the others.
MIN_CLASSES = 3
MAX_MOVED_SHARE = 0.5  # if a larger share of the classes moved, the shift is called covariate
MIN_EFFECT = 0.2  # smallest `ClassShift.effect_size` of a class that is reported
MIN_EXCESS = 3.0  # smallest ratio of that effect size to the median of all classes
VARIANCE_OF_MEDIAN = np.pi / 2  # variance of a median, relative to that of a mean


@dataclass(frozen=True)
class ClassShift:
    """A class that changed, beyond the common change of all classes.

    Args:
        class_id: Id of the class (modulo `profiles.labels.MAX_CLASSES_EMBEDDED`).
        effect_size: How far the samples of the class moved beyond the common
            change: root mean square over directions, in standard deviations within
            the class, without what is expected by chance.
        interval: Approximate 95 % interval of the effect size.
        p_value: P-value, corrected for the number of directions and classes; never 0.
        num_samples: Number of distinct samples of this class, `(reference, current)`.
    """

    class_id: int
    effect_size: float
    interval: tuple[float, float]
    p_value: float
    num_samples: tuple[int, int]


def find_changed_classes(
    reference: LabelSummary,
    current: LabelSummary,
    level: float,
    shares: tuple[float, float] = (1.0, 1.0),
) -> list[ClassShift]:
    """Finds the classes that changed while others did not.

    Args:
        reference: Labels of one stream, with the moments of the classes.
        current: Labels of the other stream.
        level: Probability of any finding if all classes changed alike.
        shares: `(reference, current)`: the number of distinct samples divided by the
            number of samples counted, since copies of a sample add no evidence.

    Returns:
        The classes, the largest effect first. Empty without class labels, with fewer
        than `MIN_CLASSES` classes of `MIN_SAMPLES` samples, and if more than
        `MAX_MOVED_SHARE` of the classes moved.
    """
    if not (reference.are_classes and current.are_classes):
        return []
    n = reference.by_class.count[:, 0] * shares[0]
    m = current.by_class.count[:, 0] * shares[1]
    ids = np.flatnonzero(np.minimum(n, m) >= MIN_SAMPLES)
    if len(ids) < MIN_CLASSES:
        return []
    n, m = n[ids, None], m[ids, None]
    var_n, var_m = (
        np.maximum(s.by_class.std[ids] ** 2 * k / (k - 1), 1e-30)
        for s, k in ((reference, n), (current, m))
    )
    delta = current.by_class.mean[ids] - reference.by_class.mean[ids]
    error = var_n / n + var_m / m  # squared standard error, (classes, directions)
    delta = delta - _contrast(delta, reference.by_class.mean[ids])
    # The common change, for each class: the median change of the other classes.
    all_but_one = [np.delete(np.arange(len(ids)), c) for c in range(len(ids))]
    common = np.stack([np.median(delta[others], axis=0) for others in all_but_one])
    common_error = np.stack(
        [VARIANCE_OF_MEDIAN * error[others].mean(axis=0) / len(others) for others in all_but_one]
    )
    own_move = delta - common
    degrees = error**2 / (var_n**2 / n**2 / (n - 1) + var_m**2 / m**2 / (m - 1))
    p = 2 * student_t_sf(np.abs(own_move) / np.sqrt(error + common_error), degrees)
    p = np.minimum(1.0, p.min(axis=1) * p.shape[1] * len(ids))
    # The variances of both streams are pooled, as in Cohen's d.
    pooled = (var_n * (n - 1) + var_m * (m - 1)) / (n + m - 2)
    effect = _beyond_chance(own_move, error + common_error, pooled)
    median_effect = float(np.median(effect))
    moved = (p <= level) & (effect >= np.maximum(MIN_EFFECT, MIN_EXCESS * median_effect))
    if moved.mean() > MAX_MOVED_SHARE:
        return []
    margin = 1.96 * np.sqrt(((error + common_error) / pooled).mean(axis=1))
    found = [
        ClassShift(
            class_id=int(ids[c]),
            effect_size=float(effect[c]),
            interval=(max(float(effect[c] - margin[c]), 0.0), float(effect[c] + margin[c])),
            p_value=float(p[c]),
            num_samples=(int(n[c, 0]), int(m[c, 0])),
        )
        for c in np.flatnonzero(moved)
    ]
    return sorted(found, key=lambda shift: -shift.effect_size)


def _contrast(delta: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Returns the part of `delta` that a common change of contrast explains.

    Such a change multiplies all means by one factor. The factor is estimated by a weighted
    median of the ratios, which ignores classes that moved otherwise if they are a minority.

    Args:
        delta: Difference of the class means, `(classes, directions)`.
        mean: Class means in the reference, `(classes, directions)`.
    """
    delta, mean = delta - np.median(delta, axis=0), mean - np.median(mean, axis=0)
    ratio = np.where(mean == 0, 0.0, delta / np.where(mean == 0, 1.0, mean)).ravel()
    order = np.argsort(ratio)
    weight = np.cumsum(np.abs(mean).ravel()[order])
    middle = int(np.searchsorted(weight, weight[-1] / 2))
    return mean * ratio[order][middle]


def _beyond_chance(shift: np.ndarray, error: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Returns the root mean square of each class's shift, without what is expected by chance.

    The arguments are `(classes, directions)`.

    Args:
        shift: Difference of the means.
        error: Its squared standard error.
        variance: Variance within the class: the result is in standard deviations.
    """
    squared = (shift**2 - error) / variance
    return np.sqrt(np.maximum(squared.mean(axis=1), 0.0))
