"""One look at two profiles: every test, one false-alarm rate, a few sentences."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from keras_shiftguard.detection import preprocessing
from keras_shiftguard.detection.causes import OTHER, name_cause
from keras_shiftguard.detection.class_mix import concept_finding, without_consequences
from keras_shiftguard.detection.distributions import SMALLEST_P
from keras_shiftguard.detection.families import PRIOR, Family, Gathered, Names
from keras_shiftguard.detection.multiplicity import global_p, holm
from keras_shiftguard.detection.report import Finding, by_severity
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputProfile, InputSummary

MOST_PER_SOURCE = 3  # findings of one input; the others are counted
CONCEPT_SHARE = 0.08  # of the level, where both streams have classes


@dataclass(frozen=True)
class Comparison:
    """What one look found.

    Args:
        findings: Significant ones, corrected for everything in this look.
        notes: What could not be judged, and why.
        p_value: Of "nothing differs", over all tests; never 0.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    p_value: float = 1.0


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
    findings = _told(found, reference, current, look.names)
    if share:
        labels = (current.labels, reference.labels)
        findings = without_consequences(findings, *labels, shares)
        concept = concept_finding(*labels, level * share, shares, stream, against)
        if concept is not None:
            findings.append(concept)
            p_value = min(p_value, concept.p_value / share)
    if certain:
        p_value = SMALLEST_P
    notes = list(dict.fromkeys(look.notes))
    return Comparison(list(by_severity([*certain, *findings])), notes, p_value)


def _share(profile: InputProfile) -> float:
    """Distinct samples over samples counted."""
    if not profile.distinct_samples or not profile.num_samples:
        return 1.0
    return min(1.0, profile.distinct_samples / profile.num_samples)


def _input_tests(
    look: Gathered, name: str, a: InputSummary, b: InputSummary, shares: tuple[float, float]
) -> None:
    what = "images" if a.is_image else "samples"
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
        return
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
    sides = range(2)
    apart = any(a.smallest_size[i] > b.largest_size[i] for i in sides) or any(
        b.smallest_size[i] > a.largest_size[i] for i in sides
    )
    if not apart:
        return None
    text = f"{here.capitalize()} images have another size: {_size(a)} against {_size(b)} in {there}"
    return _certain(look.names, name, "resolution", text)


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


def _told(
    found: list[tuple[Family, Finding]],
    reference: InputProfile,
    current: InputProfile,
    names: Names,
) -> list[Finding]:
    """The findings worth a sentence: few of each source, causes named."""
    told: list[Finding] = []
    for source in dict.fromkeys(family.source for family, _ in found):
        ours = [(family.role, f) for family, f in found if family.source == source]
        missing = [f for role, f in ours if role == "missing"]
        features = list(by_severity([f for role, f in ours if role == "features"]))
        whole = [f for role, f in ours if role not in ("missing", "features")]
        if source in current.inputs and source in reference.inputs:
            told += _of_input(features, whole, reference, current, source, names)
            told += _fewest(list(by_severity(missing)))
        else:
            told += _fewest(list(by_severity(features + whole)))
            told += _fewest(list(by_severity(missing)))
    return told


def _of_input(
    features: list[Finding],
    whole: list[Finding],
    reference: InputProfile,
    current: InputProfile,
    source: str,
    names: Names,
) -> list[Finding]:
    """Covariate findings of one input: one step of preprocessing, or a cause."""
    a, b = current.inputs[source], reference.inputs[source]
    together = [*features, *whole]
    if not any(f.matters for f in together):
        return _fewest(features) or whole
    step = preprocessing.explain(b, a, stream=names.stream, against=names.against)
    if step is not None:
        best = min(together, key=lambda f: f.p_value)
        return [
            replace(
                best,
                feature=source,
                kind="preprocessing",
                family="preprocessing",
                effect_size=step.effect_size,
                interval=(step.effect_size, step.effect_size),
                explanation=step.sentence.rstrip("."),
                negligible=False,
            )
        ]
    if features and features[0].matters:
        told = _fewest(features)
    else:
        told = [*(f for f in whole if f.matters), *_fewest(features)]
    if not b.is_image:
        return told
    cause = name_cause(b, a)
    if cause.family == OTHER:
        return told
    said = cause.sentence.rstrip(".")
    first = replace(told[0], explanation=f"{told[0].explanation}. {said}")
    return [replace(f, family=cause.family) for f in (first, *told[1:])]


def _fewest(findings: list[Finding]) -> list[Finding]:
    """The strongest few; the last of them counts the others."""
    kept, others = findings[:MOST_PER_SOURCE], len(findings) - MOST_PER_SOURCE
    if others > 0:
        more = f"{kept[-1].explanation}; {others} more of its kind differ"
        kept = [*kept[:-1], replace(kept[-1], explanation=more)]
    return kept
