"""Selection of the significant findings that are reported, with their causes."""

from dataclasses import replace

from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.causes.corruptions import OTHER, name_cause
from keras_shiftguard.detection.families import StreamNames
from keras_shiftguard.detection.finding import Finding, by_severity
from keras_shiftguard.detection.two_sample.multiplicity import Family
from keras_shiftguard.detection.words.attribute_words import FAMILY_ATTRIBUTES
from keras_shiftguard.detection.words.sentences import MAX_NAMED
from keras_shiftguard.io.code_lines import quoted, renamed
from keras_shiftguard.profiles import InputProfile


def reported_findings(
    found: list[tuple[Family, Finding]],
    reference: InputProfile,
    current: InputProfile,
    names: StreamNames,
) -> list[Finding]:
    """Selects the findings to report, a few on each source (an input, the labels, the outputs).

    `found` are the significant findings, each with the family of its test. The first finding on an
    input also names its cause, if it is known.
    """
    chosen: list[Finding] = []
    for source in dict.fromkeys(family.source for family, _ in found):
        on_source = [(family.role, f) for family, f in found if family.source == source]
        missing = [f for role, f in on_source if role == "missing"]
        features = list(by_severity([f for role, f in on_source if role == "features"]))
        whole = [f for role, f in on_source if role not in ("missing", "features")]
        if source in current.inputs and source in reference.inputs:
            of_input = _input_findings(features, whole, reference, current, source, names)
            if len(current.inputs) > 1:
                of_input = [of_one_input(finding, source) for finding in of_input]
            chosen += of_input
            chosen += _strongest(list(by_severity(missing)))
        else:
            chosen += _strongest(list(by_severity(features + whole)))
            chosen += _strongest(list(by_severity(missing)))
    return chosen


def of_one_input(finding: Finding, source: str) -> Finding:
    """Returns a finding on preprocessing that says which of several inputs it is about."""
    if finding.kind != "preprocessing" or finding.said is None:
        return finding
    said = finding.said._replace(head=f"{finding.said.head}, in input {source!r}")
    return replace(finding, said=said, fix=renamed(finding.fix, {"x": f"x[{quoted(source)}]"}))


def _input_findings(
    features: list[Finding],
    whole: list[Finding],
    reference: InputProfile,
    current: InputProfile,
    source: str,
    names: StreamNames,
) -> list[Finding]:
    """Selects the findings of one input, and names their cause.

    If a step of preprocessing explains the difference, that is the only finding.

    `features` are findings on single features, sorted by severity, and `whole` those on the
    input as a whole. For the other arguments see `reported_findings`.
    """
    before, now = reference.inputs[source], current.inputs[source]
    together = [*features, *whole]
    if not any(f.matters for f in together):
        return _strongest(features) or whole
    step = pipeline_change.explain(before, now, stream=names.stream, against=names.against)
    if step is not None:
        surest = min(together, key=lambda f: f.p_value)
        return [
            replace(
                surest,
                feature=source,
                kind="preprocessing",
                family="preprocessing",
                effect_size=step.effect_size,
                interval=(step.effect_size, step.effect_size),
                said=step.said,
                fix=step.fix,
                negligible=False,
            )
        ]
    feature_matters = bool(features) and features[0].matters
    reported = _strongest(features)
    if not feature_matters:
        reported = [*(f for f in whole if f.matters), *reported]
    cause = name_cause(before.features, now.features) if before.is_image else None
    if cause is None or cause.family == OTHER:
        return reported
    if feature_matters:
        main = f"{source}/{FAMILY_ATTRIBUTES.get(cause.family, ('',))[0]}"
        first = min(features, key=lambda f: (not f.matters, f.feature != main))
        reported = _strongest([first, *(f for f in features if f is not first)], max_findings=1)
    named = [replace(finding, family=cause.family) for finding in reported]
    said = named[0].said
    if said is not None:
        named[0] = replace(named[0], said=said._replace(cause=cause.sentence))
    return named


def _strongest(findings: list[Finding], max_findings: int = MAX_NAMED) -> list[Finding]:
    """Returns the first `max_findings` findings; the last says how many other features differ."""
    strongest, num_others = findings[:max_findings], len(findings) - max_findings
    said = strongest[-1].said if num_others > 0 else None
    if said is not None:
        others = "feature differs" if num_others == 1 else "features differ"
        more = said.also(f"{num_others} more {others}")
        strongest = [*strongest[:-1], replace(strongest[-1], said=more)]
    return strongest
