"""Which significant findings are worth a sentence, and what causes them."""

from dataclasses import replace

from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.corruptions import OTHER, name_cause
from keras_shiftguard.detection.families import Names
from keras_shiftguard.detection.finding import Finding, by_severity
from keras_shiftguard.detection.two_sample.multiplicity import Family
from keras_shiftguard.profiles import InputProfile

MOST_PER_SOURCE = 3  # findings of one input; the others are counted
# Where a cause is named, the attribute that people know it by is told of.
KNOWN_BY = {
    "brightness": "brightness",
    "contrast": "contrast",
    "blur": "sharpness",
    "noise": "noise",
    "compression": "blockiness",
    "resolution": "sharpness",
    "colour": "saturation",
}


def told(
    found: list[tuple[Family, Finding]],
    reference: InputProfile,
    current: InputProfile,
    names: Names,
) -> list[Finding]:
    """The findings worth a sentence: few of each source, causes named."""
    chosen: list[Finding] = []
    for source in dict.fromkeys(family.source for family, _ in found):
        ours = [(family.role, f) for family, f in found if family.source == source]
        missing = [f for role, f in ours if role == "missing"]
        features = list(by_severity([f for role, f in ours if role == "features"]))
        whole = [f for role, f in ours if role not in ("missing", "features")]
        if source in current.inputs and source in reference.inputs:
            chosen += _of_input(features, whole, reference, current, source, names)
            chosen += _fewest(list(by_severity(missing)))
        else:
            chosen += _fewest(list(by_severity(features + whole)))
            chosen += _fewest(list(by_severity(missing)))
    return chosen


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
    step = pipeline_change.explain(b, a, stream=names.stream, against=names.against)
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
    some = bool(features) and features[0].matters
    told = _fewest(features) if some else [*(f for f in whole if f.matters), *_fewest(features)]
    cause = name_cause(b, a) if b.is_image else None
    if cause is None or cause.family == OTHER:
        return told
    if some:
        known_by = f"{source}/{KNOWN_BY.get(cause.family)}"
        first = min(features, key=lambda f: (not f.matters, f.feature != known_by))
        told = _fewest([first, *(f for f in features if f is not first)], most=1)
    said = f"{told[0].explanation}. {cause.sentence.rstrip('.')}"
    named = [replace(told[0], explanation=said), *told[1:]]
    return [replace(finding, family=cause.family) for finding in named]


def _fewest(findings: list[Finding], most: int = MOST_PER_SOURCE) -> list[Finding]:
    """The strongest few; the last of them counts the others."""
    kept, others = findings[:most], len(findings) - most
    if others > 0:
        more = f"{kept[-1].explanation}; {others} more of its kind differ"
        kept = [*kept[:-1], replace(kept[-1], explanation=more)]
    return kept
