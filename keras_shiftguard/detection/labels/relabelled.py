"""Do the labels still belong to the samples? Shuffled, shifted and renamed classes.

If the labels of a stream are wrong while its samples are as they were, all samples
together agree with the reference, but those of a class look like those of other
classes. Two such readings are told apart, by the means of each class along random
projections:

- renamed: every class looks as another one did (ids shifted by one, another order);
- at random: every class moved towards the mean of all, by the same share: so many
  labels were dealt out anew.

A change of the samples (darker, mirrored, blurred) moves all samples together, or
moves the classes to where no class was, and is none of this. `concept` finds the
case of a few classes that differ.

Whether any class moved is tested; what that finds must then be explained by one of the
readings, which can only remove findings.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.detection.labels.class_movement import compare_classes
from keras_shiftguard.detection.sentences import percent, stream_name
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, Floats
from keras_shiftguard.profiles import LabelSummary

LEAST_EFFECT = 0.15  # in deviations within a class, root mean square
# Of the mean square by which the classes moved: how much may be left unexplained, ...
UNEXPLAINED = 0.2
CHANCE = 0.25  # and that share of what chance leaves
# ... how much all samples together may have moved, and their variance changed.
TOGETHER, VARIANCE = 0.1, 0.15
MOST_RIGHT = 0.85  # beyond this share of right labels, a few are wrong, as everywhere
LEAST_RENAMED = 0.5  # share of the classes
MOST_CLASSES_NAMED = 3


@dataclass(frozen=True)
class Relabelling:
    """How the labels of `current` differ from those of `reference`.

    Args:
        looks_like: For each class of `class_ids`, the class of the reference that
            its samples look like, `(k,)`; empty where labels are wrong at random.
        class_ids: Classes that were compared, `(k,)`.
        wrong: Share of the labels that are wrong, in (0, 1].
        in_reference: Whether it is the reference whose labels are wrong at random.
            Which of two streams has other names cannot be told.
        effect_size: How far the classes moved: root mean square over classes and
            directions, in standard deviations within a class, less what chance
            alone would give.
        interval: 95 % interval of the effect size, approximately.
        p_value: Of "no class moved", corrected; never 0.
    """

    looks_like: tuple[int, ...]
    class_ids: tuple[int, ...]
    wrong: float
    in_reference: bool
    effect_size: float
    interval: tuple[float, float]
    p_value: float


def examine_labels(
    reference: LabelSummary,
    current: LabelSummary,
    level: float,
    shares: tuple[float, float] = (1.0, 1.0),
) -> Relabelling | None:
    """Finds labels that no longer belong to their samples.

    Args:
        reference: Labels, and the moments of the classes, of the one stream.
        current: Of the other.
        level: Chance of any finding where the streams do not differ.
        shares: Distinct samples over samples counted, of `(reference, current)`.

    Returns:
        What happened to the labels, or None: no evidence, too few classes of
        `MIN_SAMPLES` samples, or no such reading explains it.
    """
    classes = compare_classes(reference, current, shares)
    if classes is None or classes.moved < LEAST_EFFECT**2 or classes.p_value > level:
        return None
    ids, (before, var_n, n), (after, var_m, m) = classes.ids, classes.before, classes.after
    error, pooled, moved, p = classes.error, classes.pooled, classes.moved, classes.p_value
    unit = pooled.mean(axis=0)
    if not _agree_together((before, var_n, n), (after, var_m, m), moved * unit):
        return None
    found = _renamed(before, after, error, moved, unit)
    wrong, in_reference = 0.0, False
    if found is not None:
        wrong = float(np.mean(found != np.arange(len(ids))))
    else:
        x, y = (mean - _together(mean, mean, k)[0] for mean, k in ((before, n), (after, m)))
        in_reference = bool((y**2 / unit).sum() > (x**2 / unit).sum())
        x, y = (y, x) if in_reference else (x, y)
        wrong = _wrong_at_random(x, y, error, moved, unit)
    if not wrong:
        return None
    margin = 1.96 * float(np.sqrt((error / pooled).mean()))
    effect = float(np.sqrt(moved))
    return Relabelling(
        looks_like=tuple(int(ids[i]) for i in found) if found is not None else (),
        class_ids=tuple(map(int, ids)),
        wrong=min(wrong, 1.0),
        in_reference=in_reference,
        effect_size=effect,
        interval=(max(effect - margin, 0.0), effect + margin),
        p_value=min(max(p, SMALLEST_P), 1.0),
    )


def labels_do_not_belong(found: Relabelling, stream: str, against: str) -> str:
    """The finding, in one sentence."""
    here, there = stream_name(stream), stream_name(against)
    size = f"effect size {found.effect_size:.2g}"
    if not found.looks_like:
        wrong, right = (there, here) if found.in_reference else (here, there)
        return (
            f"About {percent(found.wrong)} of the labels of {wrong} are wrong at random: its "
            f"classes look more alike than in {right}, while all samples together agree: {size}"
        )
    pairs = zip(found.class_ids, found.looks_like, strict=True)
    moved = [f"{c} like {k}" for c, k in pairs if c != k]
    listed = ", ".join(moved[:MOST_CLASSES_NAMED])
    more = len(moved) - MOST_CLASSES_NAMED
    listed += f" and {more} more" if more > 0 else ""
    return (
        f"The labels of {here} do not mean what they mean in {there}: class {listed}, while all "
        f"samples together agree: {size}"
    )


def _agree_together(
    one: tuple[Floats, Floats, Floats], other: tuple[Floats, Floats, Floats], most: Floats
) -> bool:
    """Whether all samples together have the same mean and variance."""
    (a, var_a), (b, var_b) = _together(*one), _together(*other)
    chance = var_a / one[2].sum() + var_b / other[2].sum()
    apart = float((((b - a) ** 2 - chance) / most).mean())
    ratio = float(np.log(var_b.sum() / var_a.sum()))
    return apart <= TOGETHER + float((chance / most).mean()) and abs(ratio) <= VARIANCE


def _together(mean: Floats, variance: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of all classes together, `(directions,)` each."""
    weight = count / count.sum()
    middle = (weight * mean).sum(axis=0)
    return middle, (weight * (variance + (mean - middle) ** 2)).sum(axis=0)


def _renamed(
    before: Floats, after: Floats, error: Floats, moved: float, unit: Floats
) -> np.ndarray | None:
    """Which class each one looks like, `(classes,)`; None if that explains too little."""
    apart = ((after[:, None] - before[None]) ** 2 / unit).mean(axis=2)
    nearest = apart.argmin(axis=1)
    left = apart.min(axis=1).mean() - (error / unit).mean()
    others = float(np.mean(nearest != np.arange(len(after))))
    one_to_one = len(set(nearest.tolist())) >= 0.8 * len(after)
    allowed = UNEXPLAINED * moved + CHANCE * (error / unit).mean()
    explains = left <= allowed and others >= LEAST_RENAMED and one_to_one
    return nearest if explains else None


def _wrong_at_random(x: Floats, y: Floats, error: Floats, moved: float, unit: Floats) -> float:
    """Share of labels dealt out anew; 0 if that explains too little.

    `x` and `y` are the classes around the mean of all, as they should be and as
    they are.
    """
    right = float((x * y / unit).sum() / (x * x / unit).sum())
    left = float((((y - right * x) ** 2 - error) / unit).mean())
    allowed = UNEXPLAINED * moved + CHANCE * float((error / unit).mean())
    return 1 - right if left <= allowed and right <= MOST_RIGHT else 0.0
