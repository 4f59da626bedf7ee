"""Removal of the findings that another class mix explains.

A pure change of the class mix leaves every class as it was. It moves the mean of a feature by at
most Cohen's w of the mix, in standard deviations (Cauchy-Schwarz inequality). A covariate finding
within this bound counts as a consequence of the mix.
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.detection.families import Shares
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.two_sample.tail_probabilities import normal_sf
from keras_shiftguard.profiles import LabelSummary

# Largest ratio of an effect to Cohen's w of the mix that explains it; above 1, as w is estimated. A
# convention.
MAX_EFFECT_RATIO = 1.25
MIN_P_UNCHANGED = 0.01  # with a smaller p-value, the classes count as changed. A convention.


def classes_unchanged(current: LabelSummary, reference: LabelSummary, shares: Shares) -> bool:
    """Whether the samples of each class have the same mean in both streams.

    Within each class, the means of the random projections of the first input are compared.
    The differences are added up over the classes, and the smallest p-value of the projections
    is multiplied by their number. False if no class has two samples in both streams.
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
    return p > MIN_P_UNCHANGED


def without_effects_of_class_mix(
    findings: list[Finding], current: LabelSummary, reference: LabelSummary, shares: Shares
) -> list[Finding]:
    """Returns the findings without the covariate findings that follow from a new class mix."""
    mix = next((f for f in findings if f.feature == "labels" and f.matters), None)
    if mix is None or mix.kind != "label" or not classes_unchanged(current, reference, shares):
        return findings
    bound = MAX_EFFECT_RATIO * mix.effect_size

    def follows(finding: Finding) -> bool:
        return finding.kind == "covariate" and abs(finding.effect_size) <= bound

    if not any(map(follows, findings)):
        return findings
    said = mix.said and mix.said.also("the other differences follow from it")
    return [replace(f, said=said) if f is mix else f for f in findings if not follows(f)]
