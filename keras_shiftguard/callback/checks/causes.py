"""`Cause`: what an experiment found, as the explanation of a finding instead of its statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.sentences import misplaced
from keras_shiftguard.experiments.masks import ALIGNMENT
from keras_shiftguard.experiments.told import Difference


@dataclass(frozen=True)
class Cause:
    """A cause of a difference, as an experiment found it.

    Args:
        against: The stream that validation is compared with.
        feature: The feature of the finding that it explains.
        how: What the samples look like, such as `"mirrored left to right"`.
        family: The family that the finding gets.
        noun: What the samples are called.
        fix: A line of Python that undoes it in a batch `x`; "" without one.
        original: The fields of the finding before it was explained by that.
    """

    against: str
    feature: str
    how: str
    family: str
    noun: str = "images"
    fix: str = ""
    original: Mapping[str, Any] | None = None


def named(
    findings: dict[str, Finding],
    pair: Pair,
    causes: Sequence[Cause],
    found: Difference,
    features: Sequence[str],
    noun: str,
    tolerance: float,
) -> list[Cause]:
    """Explains the finding with the largest effect by a cause; takes back earlier causes."""
    kept = []
    for cause in causes:
        if cause.against != pair.against or cause.feature not in features:
            kept.append(cause)
        elif cause.original is not None:
            findings[cause.feature] = Finding.from_dict(cause.original)
    if found.how and found.cost.is_alarm(tolerance):
        first = max(features, key=lambda name: abs(findings[name].effect_size))
        is_place = found.family in ("geometry", "cover", ALIGNMENT)
        family = "geometry" if is_place else "other"
        kept.append(Cause(pair.against, first, found.how, family, noun, found.fix))
    return explained(findings, pair, kept)


def explained(findings: dict[str, Finding], pair: Pair, causes: Sequence[Cause]) -> list[Cause]:
    """Explains findings of a pair by their causes; returns these with the findings as they were."""
    result = []
    for cause in causes:
        finding = findings.get(cause.feature) if cause.against == pair.against else None
        if finding is not None:
            said = misplaced(cause.how, finding.stream, finding.against, cause.noun)
            if finding.said != said:
                cause = replace(cause, original=finding.to_dict())
                findings[cause.feature] = replace(
                    finding,
                    kind="covariate",
                    family=cause.family,
                    fix=cause.fix,
                    said=said,
                )
        result.append(cause)
    return result
