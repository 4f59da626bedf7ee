"""What the labels explain: a new class mix, or classes that look different.

A pure change of the class mix moves the mean of no feature by more than Cohen's
w of the mix, in standard deviations (Cauchy and Schwarz), and leaves every class
as it was. A covariate finding within those bounds needs no cause of its own.
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.detection.finding import NEGLIGIBLE, Finding
from keras_shiftguard.detection.labels.concept import ClassShift, examine_classes
from keras_shiftguard.detection.labels.label_shift import estimate
from keras_shiftguard.detection.labels.relabelled import (
    Relabelling,
    examine_labels,
    labels_do_not_belong,
)
from keras_shiftguard.detection.sentences import classes_look_different, estimated_mix
from keras_shiftguard.detection.two_sample.tail_probabilities import normal_sf
from keras_shiftguard.profiles import LabelSummary, OutputSummary

Shares = tuple[float, float]  # of current and reference: evidence over counts
SLACK = 1.25  # an estimated w may fall short of the true one
LEAST_P = 0.01  # below, the classes themselves differ
RELABELLED = 0.25  # of the level of concept shift, for labels that are wrong altogether


def concept_finding(
    current: LabelSummary,
    reference: LabelSummary,
    level: float,
    shares: Shares,
    stream: str,
    against: str,
) -> Finding | None:
    """One finding for labels that are wrong, or for the classes that look different."""
    both = (shares[1], shares[0])
    worst: Relabelling | ClassShift
    wrong = examine_labels(reference, current, level * RELABELLED, both)
    if wrong is not None:
        worst, p_value = wrong, wrong.p_value / RELABELLED
        explanation = labels_do_not_belong(wrong, stream, against)
    else:
        moved = examine_classes(reference, current, level * (1 - RELABELLED), both)
        if not moved:
            return None
        worst, p_value = moved[0], min(shift.p_value for shift in moved) / (1 - RELABELLED)
        classes = [shift.class_id for shift in moved]
        explanation = classes_look_different(classes, worst.effect_size, stream, against)
    return Finding(
        feature="labels/concept",
        kind="concept",
        family="concept",
        effect_size=worst.effect_size,
        interval=worst.interval,
        p_value=min(p_value, 1.0),
        stream=stream,
        against=against,
        since=None,
        explanation=explanation,
        negligible=worst.effect_size < NEGLIGIBLE,
    )


def classes_unchanged(current: LabelSummary, reference: LabelSummary, shares: Shares) -> bool:
    """Whether samples of the same class look the same in both streams.

    The random projections of the first input, compared within each class and
    added up over classes.
    """
    a, b = current.by_class, reference.by_class
    n, m = a.count[:, :1] * shares[0], b.count[:, :1] * shares[1]
    ids = np.flatnonzero(np.minimum(n, m)[:, 0] >= 2)
    if not len(ids):
        return False
    n, m = n[ids], m[ids]
    variance = (a.std[ids] ** 2 * n + b.std[ids] ** 2 * m) / np.maximum(n + m - 2, 1)
    weight = n * m / (n + m)
    delta = (weight * (a.mean[ids] - b.mean[ids])).sum(axis=0)
    error = np.sqrt(np.maximum((weight * variance).sum(axis=0), 1e-300))
    p = float((2 * normal_sf(np.abs(delta) / error)).min()) * a.mean.shape[1]
    return p > LEAST_P


def without_consequences(
    findings: list[Finding], current: LabelSummary, reference: LabelSummary, shares: Shares
) -> list[Finding]:
    """Leaves out covariate findings that a new class mix explains."""
    mix = next((f for f in findings if f.feature == "labels" and f.matters), None)
    if mix is None or mix.kind != "label" or not classes_unchanged(current, reference, shares):
        return findings
    most = SLACK * mix.effect_size

    def follows(finding: Finding) -> bool:
        return finding.kind == "covariate" and abs(finding.effect_size) <= most

    if not any(map(follows, findings)):
        return findings
    text = f"{mix.explanation}; what else differs follows from it"
    return [replace(f, explanation=text) if f is mix else f for f in findings if not follows(f)]


def with_estimated_mix(
    findings: list[Finding], current: OutputSummary, reference: OutputSummary
) -> list[Finding]:
    """Calls other predictions of an unlabelled stream label shift, if that is enough.

    Class frequencies are estimated from the predictions and the confusion on the
    labelled stream. If nothing moved by more than such a mix can move it, the mix
    is the finding, and the rest follows from it.
    """
    mix = next((f for f in findings if f.feature == "predictions" and f.matters), None)
    if mix is None or current.confusion.sum() or not reference.confusion.sum():
        return findings
    shift = estimate(reference, current.predicted)
    before = reference.confusion.sum(axis=1) / reference.confusion.sum()
    effect = _cohens_w(shift.frequencies - before, before)
    # Bounds: the least and the greatest within the intervals, taken class by class.
    nearest = np.clip(before, shift.lower, shift.upper) - before
    farthest = np.maximum(shift.upper - before, before - shift.lower)
    covariate = [f for f in findings if f.kind == "covariate" and f is not mix and f.matters]
    if not shift.identified or any(abs(f.effect_size) > SLACK * effect for f in covariate):
        return findings
    label = replace(
        mix,
        kind="label",
        family="label",
        effect_size=effect,
        interval=(_cohens_w(nearest, before), _cohens_w(farthest, before)),
        explanation=estimated_mix(
            before, shift.frequencies, shift.lower, shift.upper, effect, mix.stream, mix.against
        ),
    )
    return [label, *(f for f in findings if f.kind != "covariate")]


def _cohens_w(change: np.ndarray, before: np.ndarray) -> float:
    """Of frequencies that changed from `before`; classes that were not there are left out."""
    there = before > 0
    return float(np.sqrt((change[there] ** 2 / before[there]).sum()))
