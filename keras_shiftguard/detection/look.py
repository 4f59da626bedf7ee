"""One look at two profiles: every test, one false-alarm rate, a few sentences."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_shiftguard.detection.families import Gathered, Names
from keras_shiftguard.detection.finding import Finding, by_severity
from keras_shiftguard.detection.labels.class_mix import (
    concept_finding,
    with_estimated_mix,
    without_consequences,
)
from keras_shiftguard.detection.selection import told
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.detection.two_sample.multiplicity import PRIOR, Family, global_p, holm
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P
from keras_shiftguard.profiles import InputProfile, InputSummary

CONCEPT_SHARE = 0.08  # of the level, where both streams have classes


@dataclass(frozen=True)
class Comparison:
    """What one look found.

    Args:
        findings: Significant ones, corrected for everything in this look.
        notes: What could not be judged, and why.
        p_value: Of "nothing differs", over all tests; never 0.
        families: Every test that was made, significant or not.
        significant: Features that differ and matter, told of or only counted.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    p_value: float = 1.0
    families: list[Family] = field(default_factory=list, repr=False)
    significant: frozenset[str] = frozenset()

    @property
    def tested(self) -> list[Finding]:
        """What every test of this look found, significant or not, for plots."""
        return [finding for family in self.families for finding in family.all_findings()]


def examine(
    reference: InputProfile,
    current: InputProfile,
    *,
    stream: str = "current",
    against: str = "reference",
    level: float = 0.05,
    outputs: bool = True,
) -> Comparison:
    """Compares two profiles once.

    Args:
        reference: What the data should look like.
        current: What may differ.
        stream: What to call `current`.
        against: What to call `reference`.
        level: Chance of any finding where nothing differs.
        outputs: Whether a model's outputs are compared too, if both profiles
            have them, made with the same weights.

    Returns:
        Findings, notes and the global p-value.
    """
    look = Gathered(Names(stream, against))
    look.several = len(reference.inputs.keys() | current.inputs.keys()) > 1
    certain: list[Finding] = []
    shares = (_share(current), _share(reference))
    for name in dict.fromkeys([*reference.inputs, *current.inputs]):
        if name not in current.inputs or name not in reference.inputs:
            absent = stream if name not in current.inputs else against
            look.notes.append(f"input {name!r} is absent in {stream_name(absent)}")
            continue
        a, b = current.inputs[name], reference.inputs[name]
        if not a.num_samples or not b.num_samples:
            look.too_few(name, a.num_samples, b.num_samples, 1)
            continue
        other = _other_form(look, name, a, b)
        if other is not None:
            certain.append(other)
        else:
            _input_tests(look, name, a, b, shares)
    _label_tests(look, current, reference, shares)
    if outputs:
        _output_tests(look, current, reference, shares)
    share = CONCEPT_SHARE if current.labels.are_classes and reference.labels.are_classes else 0.0
    found, p_value = _significant(look.families, level * (1 - share))
    p_value = min(1.0, p_value / (1 - share))
    findings = told(found, reference, current, look.names)
    if share:
        labels = (current.labels, reference.labels)
        findings = without_consequences(findings, *labels, shares)
        concept = concept_finding(*labels, level * share, shares, stream, against)
        if concept is not None:
            findings.append(concept)
            p_value = min(p_value, concept.p_value / share)
    findings = with_estimated_mix(findings, current.outputs, reference.outputs)
    if certain:
        p_value = SMALLEST_P
    notes = list(dict.fromkeys(look.notes))
    told_of = list(by_severity([*certain, *findings]))
    significant = frozenset(f.feature for _, f in found if f.matters)
    return Comparison(told_of, notes, p_value, look.families, significant)


def _share(profile: InputProfile) -> float:
    """Distinct samples over samples counted."""
    if not profile.distinct_samples or not profile.num_samples:
        return 1.0
    return min(1.0, profile.distinct_samples / profile.num_samples)


def _input_tests(
    look: Gathered, name: str, a: InputSummary, b: InputSummary, shares: tuple[float, float]
) -> None:
    what = "images" if a.is_image else "samples"
    if look.several:
        what += f" of input {name!r}"
    look.features("features", name, what, a.features, b.features, shares)
    look.embedding("embedding", name, what, a.embedding, b.embedding, shares)
    look.missing(name, a, b, shares)
    if len(a.tokens) and len(a.tokens) == len(b.tokens):
        # Tokens of one sample are not independent: together they count as one.
        per_token = tuple(
            share * min(1.0, s.num_samples / max(float(s.tokens.sum()), 1.0))
            for s, share in zip((a, b), shares, strict=True)
        )
        both = (per_token[0], per_token[1])
        look.classes("tokens", f"{name}/tokens", "tokens", a.tokens, b.tokens, both)


def _label_tests(
    look: Gathered, current: InputProfile, reference: InputProfile, shares: tuple[float, float]
) -> None:
    a, b = current.labels, reference.labels
    if not a.num_samples or not b.num_samples:
        return
    if a.are_classes and b.are_classes:
        look.classes("labels", "labels", "labels", a.counts, b.counts, shares, "label", "label")
    elif a.are_classes != b.are_classes:
        names = (look.names.stream, look.names.against)
        classes, numbers = names if a.are_classes else names[::-1]
        look.notes.append(
            f"labels are class ids in {stream_name(classes)} and numbers in "
            f"{stream_name(numbers)}: not compared"
        )
    else:
        look.features("labels", "labels", "labels", a.targets, b.targets, shares, "label", "label")


def _output_tests(
    look: Gathered, current: InputProfile, reference: InputProfile, shares: tuple[float, float]
) -> None:
    a, b = current.outputs, reference.outputs
    if not a.num_samples or not b.num_samples:
        return  # training's are never measured: they differ without any shift
    if a.weights != b.weights or a.num_classes != b.num_classes:
        look.notes.append("the model's outputs were made with other weights: not compared")
        return
    look.features("outputs", "outputs", "outputs", a.features, b.features, shares)
    if a.num_classes:
        look.classes("predicted", "predictions", "predictions", a.predicted, b.predicted, shares)
    if a.layer == b.layer:
        what = f"activations of layer {a.layer!r}"
        source = f"layer {a.layer}" if a.layer else "layer"
        look.embedding("layer", source, what, a.embedding, b.embedding, shares)


def _other_form(look: Gathered, name: str, a: InputSummary, b: InputSummary) -> Finding | None:
    """A difference in shape: certain, so no test."""
    here, there = stream_name(look.names.stream), stream_name(look.names.against)
    if a.layout != b.layout or a.num_channels != b.num_channels:
        unit = "channels" if a.is_image and b.is_image else "numbers in the last axis"
        text = (
            f"Input {name!r} has another shape: {a.num_channels} {unit} ({a.layout}) in {here} "
            f"against {b.num_channels} ({b.layout}) in {there}"
        )
        return _certain(look.names, name, "other", text)
    if not a.is_image or not min(*a.smallest_size, *b.smallest_size):
        return None
    if _is_flat(a) and not _is_flat(b):
        level = f"{float(a.sample_mean.mean):.3g}"
        text = (
            f"All {here} images are flat, every pixel of one the same (mean {level}): a loader "
            f"that fails gives such images, and those in {there} are not"
        )
        return _certain(look.names, name, "other", text)
    sides = range(2)
    apart = any(a.smallest_size[i] > b.largest_size[i] for i in sides) or any(
        b.smallest_size[i] > a.largest_size[i] for i in sides
    )
    if not apart:
        return None
    text = f"{here.capitalize()} images have another size: {_size(a)} against {_size(b)} in {there}"
    return _certain(look.names, name, "resolution", text)


def _is_flat(summary: InputSummary) -> bool:
    """Whether no image has any contrast."""
    deviation = summary.sample_std
    return bool(deviation.count > 0 and deviation.mean <= 1e-6 * abs(summary.sample_mean.mean))


def _size(summary: InputSummary) -> str:
    small, large = (" x ".join(map(str, s)) for s in (summary.smallest_size, summary.largest_size))
    return small if small == large else f"{small} to {large}"


def _certain(names: Names, name: str, family: str, text: str) -> Finding:
    return Finding(
        feature=name,
        kind="preprocessing",
        family=family,
        effect_size=99.0,
        interval=(99.0, 99.0),
        p_value=SMALLEST_P,
        stream=names.stream,
        against=names.against,
        since=None,
        explanation=text,
    )


def _significant(
    families: Sequence[Family], level: float
) -> tuple[list[tuple[Family, Finding]], float]:
    """Findings after correction over everything, and the global p-value."""
    if not families:
        return [], 1.0
    prior = np.array([PRIOR[family.role] for family in families])
    p = np.concatenate([family.p_values for family in families])
    sizes = [len(family.p_values) for family in families]
    weights = np.repeat(prior / prior.sum() / sizes, sizes)
    overall = global_p([family.p_values for family in families], prior)
    rejected = holm(p, weights, level)
    if not rejected.any() and overall <= level:
        rejected[np.argmin(p / weights)] = True
    owners = [(family, i) for family in families for i in range(len(family.p_values))]
    found = [
        (family, family.finding(i))
        for (family, i), out in zip(owners, rejected, strict=True)
        if out
    ]
    return found, overall
