"""Detection of wrong labels: class ids that were shuffled, shifted or renamed.

If the labels of a stream are wrong and its samples are unchanged, all samples together look like
those of the reference, but the samples of a class look like those of other classes. Two such cases
are recognized, by the means of each class along random projections:

- renamed: every class looks like another class of the reference (ids shifted by one, another
  order);
- wrong at random: every class moved towards the mean of all classes, by the same share. This share
  of the labels was replaced by random ones.

A change of the samples (darker, mirrored, blurred) is neither of these: it moves all samples
together, or moves the classes to where no class was. `concept.py` finds the case of a few
classes that differ.

A test shows whether any class moved. One of the two cases must then explain the movement. This
condition can only remove findings, so the false-alarm rate is at most that of the test.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.class_movement import compare_classes
from keras_shiftguard.detection.sentences import MAX_CLASSES_NAMED, percent, some_of, stream_name
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, Floats
from keras_shiftguard.profiles import LabelSummary

MIN_EFFECT = 0.15  # smallest `Relabelling.effect_size`
# Largest mean square movement of the classes that may remain unexplained: MAX_UNEXPLAINED times
# the observed one, plus CHANCE_SHARE times the one expected by chance.
MAX_UNEXPLAINED = 0.2
CHANCE_SHARE = 0.25
# Largest squared movement of the mean of all samples, as a share of the mean square movement of the
# classes; and largest change of the logarithm of the variance of all samples.
MAX_JOINT_MOVE, MAX_JOINT_LOG_RATIO = 0.1, 0.15
MAX_RIGHT_SHARE = 0.85  # with more correct labels, the few wrong ones are not reported
MIN_RENAMED_SHARE = 0.5  # part of the classes that must look like another class
# Smallest number of different classes in `Relabelling.looks_like`, as a share of its length: if
# names were exchanged, hardly any two classes look like the same class.
MIN_DIFFERENT_SHARE = 0.8


@dataclass(frozen=True)
class Relabelling:
    """How the labels of `current` differ from those of `reference`.

    Args:
        looks_like: For each class of `class_ids`, the class of the reference that
            its samples look like, `(k,)`; empty if labels are wrong at random.
        class_ids: Ids of the classes that were compared, `(k,)`.
        wrong: Share of the labels that are wrong at random, or share of the classes
            that are renamed, in (0, 1].
        in_reference: Whether the labels of the reference, not those of `current`, are
            wrong at random. False for renamed classes, where this cannot be known.
        effect_size: How far the classes moved: root mean square over classes and
            directions, in standard deviations within a class, without what is
            expected by chance.
        interval: Approximate 95 % interval of the effect size.
        p_value: P-value of "no class moved", corrected for the number of directions;
            never 0.
    """

    looks_like: tuple[int, ...]
    class_ids: tuple[int, ...]
    wrong: float
    in_reference: bool
    effect_size: float
    interval: tuple[float, float]
    p_value: float


def find_relabelling(
    reference: LabelSummary,
    current: LabelSummary,
    level: float,
    shares: tuple[float, float] = (1.0, 1.0),
) -> Relabelling | None:
    """Finds labels that no longer belong to their samples.

    Args:
        reference: Labels of one stream, with the moments of the classes.
        current: Labels of the other stream.
        level: Probability of a finding if the streams do not differ.
        shares: `(reference, current)`: the number of distinct samples divided by the
            number of samples counted, since copies of a sample add no evidence.

    Returns:
        How the labels differ; None if the movement of the classes is small or not
        significant, if too few classes have enough samples, or if wrong labels do not
        explain the movement.
    """
    classes = compare_classes(reference, current, shares)
    if classes is None or classes.moved < MIN_EFFECT**2 or classes.p_value > level:
        return None
    ids, (before, var_n, n), (after, var_m, m) = classes.ids, classes.before, classes.after
    error, pooled, moved, p = classes.error, classes.pooled, classes.moved, classes.p_value
    unit = pooled.mean(axis=0)
    if not _agree_together((before, var_n, n), (after, var_m, m), moved * unit):
        return None
    nearest = _renamed(before, after, error, moved, unit)
    wrong, in_reference = 0.0, False
    if nearest is not None:
        wrong = float(np.mean(nearest != np.arange(len(ids))))
    else:
        # The class means relative to the mean of all samples, in the reference and in `current`.
        x, y = (mean - _together(mean, mean, k)[0] for mean, k in ((before, n), (after, m)))
        in_reference = bool((y**2 / unit).sum() > (x**2 / unit).sum())
        x, y = (y, x) if in_reference else (x, y)
        wrong = _wrong_at_random(x, y, error, moved, unit)
    if not wrong:
        return None
    margin = 1.96 * float(np.sqrt((error / pooled).mean()))
    effect = float(np.sqrt(moved))
    return Relabelling(
        looks_like=tuple(int(ids[i]) for i in nearest) if nearest is not None else (),
        class_ids=tuple(map(int, ids)),
        wrong=min(wrong, 1.0),
        in_reference=in_reference,
        effect_size=effect,
        interval=(max(effect - margin, 0.0), effect + margin),
        p_value=min(max(p, SMALLEST_P), 1.0),
    )


def describe_relabelling(found: Relabelling, stream: str, against: str) -> str:
    """Returns the sentence for labels that are wrong."""
    here, there = stream_name(stream), stream_name(against)
    size = f"effect size {found.effect_size:.2g}"
    if not found.looks_like:
        wrong, right = (there, here) if found.in_reference else (here, there)
        return (
            f"About {percent(found.wrong)} of the {labels_at_random(wrong)}, or its samples are "
            f"crops or mixtures (CutMix): its classes look more alike than in {right}, while "
            f"all samples together look the same: {size}"
        )
    pairs = zip(found.class_ids, found.looks_like, strict=True)
    renamed = [f"{c} like {k}" for c, k in pairs if c != k]
    listed = some_of(renamed[:MAX_CLASSES_NAMED], len(renamed))
    return (
        f"The labels of {here} do not mean what they mean in {there}: its classes look like "
        f"other classes ({listed}), while all samples together look the same: {size}"
    )


def labels_at_random(stream: str) -> str:
    """Returns the part of a sentence that says that labels of a stream are wrong at random."""
    return f"labels of {stream} are wrong at random"


def _agree_together(
    one: tuple[Floats, Floats, Floats], other: tuple[Floats, Floats, Floats], unit: Floats
) -> bool:
    """Whether all samples together have the same mean and variance in both streams.

    Args:
        one: Mean and variance of each class, `(k, d)`, and its number of samples, `(k, 1)`.
        other: The same of the other stream.
        unit: Squared distance of the means that counts as 1, `(d,)`.
    """
    (a, var_a), (b, var_b) = _together(*one), _together(*other)
    by_chance = var_a / one[2].sum() + var_b / other[2].sum()  # squared standard error
    squared_move = float((((b - a) ** 2 - by_chance) / unit).mean())
    log_ratio = float(np.log(var_b.sum() / var_a.sum()))
    return (
        squared_move <= MAX_JOINT_MOVE + float((by_chance / unit).mean())
        and abs(log_ratio) <= MAX_JOINT_LOG_RATIO
    )


def _together(mean: Floats, variance: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Returns mean and variance of the samples of all classes together, `(directions,)` each.

    Args:
        mean: Mean of each class, `(classes, directions)`.
        variance: Variance of each class, `(classes, directions)`.
        count: Number of samples of each class, `(classes, 1)`.
    """
    weight = count / count.sum()
    middle = (weight * mean).sum(axis=0)
    return middle, (weight * (variance + (mean - middle) ** 2)).sum(axis=0)


def _renamed(
    before: Floats, after: Floats, error: Floats, moved: float, unit: Floats
) -> np.ndarray | None:
    """Returns the class of the reference that each class looks like, as row numbers, `(k,)`.

    Returns None if new names of the classes explain too little of the movement.

    Args:
        before: Class means in the reference, `(k, d)`.
        after: Class means in the current stream, `(k, d)`.
        error: Squared standard error of the difference of the means, `(k, d)`.
        moved: Mean square by which the classes moved.
        unit: Variance within a class, `(d,)`.
    """
    squared_distance = ((after[:, None] - before[None]) ** 2 / unit).mean(axis=2)
    nearest = squared_distance.argmin(axis=1)
    unexplained = squared_distance.min(axis=1).mean() - (error / unit).mean()
    allowed = MAX_UNEXPLAINED * moved + CHANCE_SHARE * (error / unit).mean()
    explains = (
        unexplained <= allowed
        and float(np.mean(nearest != np.arange(len(after)))) >= MIN_RENAMED_SHARE
        and len(set(nearest.tolist())) >= MIN_DIFFERENT_SHARE * len(after)
    )
    return nearest if explains else None


def _wrong_at_random(x: Floats, y: Floats, error: Floats, moved: float, unit: Floats) -> float:
    """Returns the share of labels that are wrong at random; 0 if that explains too little.

    `x` are the class means minus the mean of all samples with correct labels, and `y` those
    with the labels to be judged, `(k, d)`. The other arguments are those of `_renamed`.
    """
    right_share = float((x * y / unit).sum() / (x * x / unit).sum())
    unexplained = float((((y - right_share * x) ** 2 - error) / unit).mean())
    allowed = MAX_UNEXPLAINED * moved + CHANCE_SHARE * float((error / unit).mean())
    explains = unexplained <= allowed and right_share <= MAX_RIGHT_SHARE
    return 1 - right_share if explains else 0.0
