"""Findings of a report in the form that the Shift tab and the page of a run read.

The tab and the page join the parts of several findings to one headline ("darker and noisier"), and
name the classes of a label shift. The log holds these parts and classes, so that neither reader has
to parse a sentence.
"""

from collections.abc import Sequence
from typing import Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.sentences import MAX_CLASSES_NAMED
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from tensorboard_plugin_shiftguard.metadata import (
    ALARM,
    EXPECTED,
    MAX_FINDINGS,
    NEGLIGIBLE,
    REPORTED,
)


def logged_report(
    report: ShiftReport, pairs: Sequence[Pair], limit: int = MAX_FINDINGS
) -> dict[str, Any]:
    """Returns a report as plain values, with its worst findings and the number of the others.

    Args:
        report: The report.
        pairs: The pairs of streams, with the profiles of their latest comparison.
        limit: The largest number of findings.
    """
    by_streams = {(pair.stream, pair.against): pair for pair in pairs}
    content = report.to_dict()
    more = len(content["findings"][limit:])
    findings = content["findings"][:limit]
    for finding in findings:
        pair = by_streams.get((finding["stream"], finding["against"]))
        # The latest shares show nothing about a finding that is over.
        is_mix = finding["feature"] == "labels" and finding["until"] is None
        finding["classes"] = _classes(pair) if pair and is_mix else []
    return {**content, "findings": findings, "more": more}


def flags_and_cost(tested: Finding, pair: Pair) -> tuple[int, float]:
    """Returns the flags of a feature, see `metadata`, and its cost; NaN if that is not known.

    Args:
        tested: The latest test of the feature.
        pair: The pair of streams.
    """
    name = tested.feature
    finding = pair.findings.get(name, tested)
    expected = finding.expected or name in pair.expected
    # A significant feature without a finding of its own has the same cause as a finding. So it is
    # an alarm only if a finding of the pair matters.
    lasting = [f for f in pair.findings.values() if f.until is None]
    along = name in pair.significant and any(f.matters for f in lasting)
    reported = name in pair.findings and finding.until is None
    alarm = (reported or along) and finding.matters and finding.until is None
    flags = ALARM * (alarm and not expected) + EXPECTED * expected
    flags += NEGLIGIBLE * finding.negligible + REPORTED * reported
    is_over = finding.until is not None
    return flags, float("nan") if finding.cost is None or is_over else finding.cost


def _classes(pair: Pair) -> list[list[Any]]:
    """Returns `[class, share, reference share]` of the classes whose shares changed most."""
    here, there = pair.current.labels.counts, pair.reference.labels.counts
    if len(here) != len(there):
        return []
    test = compare_frequencies(here, there)
    changed = test.most_changed()[:MAX_CLASSES_NAMED]
    return [[str(i), *(float(share) for share in test.shares[:, i])] for i in changed]
