"""One comparison ("look") of two profiles: all tests, at one false-alarm rate."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from keras_shiftguard.detection.causes.other_class_mix import without_effects_of_class_mix
from keras_shiftguard.detection.certain_difference import certain_difference, one_sample_tells
from keras_shiftguard.detection.families import TOO_FEW, CollectedTests, StreamNames
from keras_shiftguard.detection.finding import Finding, by_severity, source_of
from keras_shiftguard.detection.selection import of_one_input, reported_findings
from keras_shiftguard.detection.two_sample.multiplicity import Family, holm
from keras_shiftguard.detection.words.column_names import other_names
from keras_shiftguard.detection.words.sentences import stream_name
from keras_shiftguard.profiles import InputProfile, InputSummary, LabelSummary


@dataclass(frozen=True)
class Comparison:
    """Result of one comparison of two profiles.

    Args:
        findings: The findings to report. They are significant after correction over all
            tests of the comparison, except for those of `certain_difference.py`.
        notes: Sentences on what could not be tested, and why.
        p_value: P-value of "nothing differs", over all tests; never 0.
        families: All tests that were made, significant or not.
        significant: Features whose difference in `families` is significant and not negligible,
            reported or not.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    p_value: float = 1.0
    families: list[Family] = field(default_factory=list, repr=False)
    significant: frozenset[str] = frozenset()

    @cached_property
    def tested(self) -> list[Finding]:
        """The findings of all tests in `families`, significant or not, for plots.

        They are made when they are asked for: an image has some 250 tests, and most looks ask none.
        """
        return [finding for family in self.families for finding in family.all_findings()]


def compare_profiles(
    reference: InputProfile,
    current: InputProfile,
    *,
    stream: str = "current",
    against: str = "reference",
    level: float = 0.05,
    outputs: bool = True,
) -> Comparison:
    """Compares two profiles once.

    `level` is the probability of any finding if nothing differs. `outputs` tells whether a model's
    outputs are compared as well, if both profiles have them, made with the same weights.
    """
    reference, current = _with_sources(reference), _with_sources(current)
    tests = CollectedTests(StreamNames(stream, against))
    tests.several_inputs = len(reference.inputs.keys() | current.inputs.keys()) > 1
    certain: list[Finding] = []
    shares = (current.distinct_share, reference.distinct_share)
    for name in dict.fromkeys([*reference.inputs, *current.inputs]):
        if name not in current.inputs or name not in reference.inputs:
            absent = stream if name not in current.inputs else against
            tests.notes.append(f"input {name!r} is absent in {stream_name(absent)}")
            continue
        now, before = current.inputs[name], reference.inputs[name]
        if not now.num_samples or not before.num_samples:
            tests.note_too_few(name, now.num_samples, before.num_samples, 1)
            continue
        difference = certain_difference(tests.names, name, now, before, shares)
        if difference is not None and tests.several_inputs:
            difference = of_one_input(difference, name)
        if difference is None:
            tests.columns[name] = before.columns or now.columns
            _input_tests(tests, name, now, before, shares)
        elif difference.p_value <= level or one_sample_tells(now, before):
            certain.append(difference)
        else:  # a few samples may differ like this by chance
            tests.notes.append(f"{TOO_FEW} to be sure: {difference.explanation}")
    _label_tests(tests, current, reference, shares)
    if outputs:
        _output_tests(tests, current, reference, shares)
    found, p_value = _significant(tests.families, level)
    findings = reported_findings(found, reference, current, tests.names)
    labels = (current.labels, reference.labels)
    if all(each.are_classes and not each.are_mixed for each in labels):
        findings = without_effects_of_class_mix(findings, *labels, shares)
    p_value = min([p_value, *(finding.p_value for finding in certain)])
    notes = list(dict.fromkeys(tests.notes))
    reported = list(by_severity([*certain, *findings]))
    if reference.augmented != current.augmented:
        # Without a cost, no difference from augmented training accuses, unless it is certain.
        reported = [replace(f, is_question=not f.is_certain) for f in reported]
        if any(f.is_question for f in reported):
            augmented = stream_name(against if reference.augmented else stream)
            notes.append(
                f"{augmented} is augmented training data, which explains such differences: compare "
                "with a profile of data without augmentation"
            )
    significant = frozenset(f.feature for _, f in found if f.matters)
    return Comparison(reported, notes, p_value, tests.families, significant)


def _with_sources(profile: InputProfile) -> InputProfile:
    """Returns the profile with its inputs renamed as in findings, see `source_of`."""
    inputs = {source_of(name): summary for name, summary in profile.inputs.items()}
    return replace(profile, inputs=inputs)


def _input_tests(
    tests: CollectedTests,
    name: str,
    now: InputSummary,
    before: InputSummary,
    shares: tuple[float, float],
) -> None:
    """Adds the tests of one input."""
    what = "images" if now.is_image else "samples"
    if tests.several_inputs:
        what += f" of input {name!r}"
    if len(now.tokens) and len(now.tokens) == len(before.tokens):
        tests.ids[name] = now.tokens, before.tokens
    tests.add_features("features", name, what, now.features, before.features, shares)
    tests.add_embedding("embedding", name, what, now.embedding, before.embedding, shares)
    tests.add_missing(name, now, before, shares)
    tests.notes += other_names(tests.names, name, now, before)
    if name in tests.ids:
        # The tokens of one sample are not independent, so all of them count as one sample.
        token_shares = tuple(
            share * min(1.0, s.num_measured / max(float(s.tokens.sum()), 1.0))
            for s, share in zip((now, before), shares, strict=True)
        )
        both = (token_shares[0], token_shares[1])
        tests.add_classes("tokens", f"{name}/tokens", "tokens", now.tokens, before.tokens, both)


def _label_tests(
    tests: CollectedTests,
    current: InputProfile,
    reference: InputProfile,
    shares: tuple[float, float],
) -> None:
    """Adds the tests of the labels."""
    now, before = current.labels, reference.labels
    if not now.num_samples or not before.num_samples:
        return
    names = ("labels", "labels", "labels")
    if now.are_classes and before.are_classes:
        counts = now.counts, before.counts
        tests.add_classes(*names, *counts, shares, kind="label", family="label")
    elif now.are_classes != before.are_classes and not _may_be_targets(now, before):
        classes, numbers = tests.names if now.are_classes else tests.names[::-1]
        tests.notes.append(
            f"labels are class ids in {stream_name(classes)} and numbers in "
            f"{stream_name(numbers)}: not compared"
        )
    else:
        targets = now.targets, before.targets
        tests.add_features(*names, *targets, shares, kind="label", family="label")


def _may_be_targets(now: LabelSummary, before: LabelSummary) -> bool:
    """Whether the class ids of one stream may be targets of a regression, such as ages.

    If there are only two ids, they are classes, and the numbers of the other stream are smoothed or
    mixed labels.
    """
    ids = now if now.are_classes else before
    return now.width == before.width == 1 and int((ids.counts > 0).sum()) > 2


def _output_tests(
    tests: CollectedTests,
    current: InputProfile,
    reference: InputProfile,
    shares: tuple[float, float],
) -> None:
    """Adds the tests of a model's outputs."""
    now, before = current.outputs, reference.outputs
    if not now.num_samples or not before.num_samples:
        return  # outputs of training are never measured, as they differ without any shift
    if now.weights != before.weights or now.num_classes != before.num_classes:
        tests.notes.append(
            "the model's outputs were made with other weights or other classes: not compared"
        )
        return
    tests.add_features("outputs", "outputs", "outputs", now.features, before.features, shares)
    if now.num_classes:
        tests.add_classes(
            "predicted", "predictions", "predictions", now.predicted, before.predicted, shares
        )
    if now.layer == before.layer:
        what = f"activations of layer {now.layer!r}"
        source = f"layer {now.layer}" if now.layer else "layer"
        tests.add_embedding("layer", source, what, now.embedding, before.embedding, shares)


def _significant(
    families: Sequence[Family], level: float
) -> tuple[list[tuple[Family, Finding]], float]:
    """Returns the significant findings after correction over all tests, and the global p-value."""
    if not families:
        return [], 1.0
    p = np.concatenate([family.p_values for family in families])
    sizes = [len(family.p_values) for family in families]
    weights = np.repeat(1 / len(families) / np.array(sizes), sizes)
    members = [(family, i) for family in families for i in range(len(family.p_values))]
    found = [
        (family, family.finding(i))
        for (family, i), differs in zip(members, holm(p, weights, level), strict=True)
        if differs
    ]
    return found, min(float((p / weights).min()), 1.0)
