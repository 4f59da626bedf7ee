"""Findings as the Shift tab reads them: the fields of a finding, and its sentence in parts.

The tab joins the parts of several findings to one headline ("darker and noisier"), and names the
classes of a label shift. With the parts in the log, it need not parse sentences.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.plain_words import difference
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.sentences import MAX_CLASSES_NAMED
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from tensorboard_plugin_shiftguard.metadata import MAX_FINDINGS

# The end of a first sentence: a full stop or a semicolon after a word, not after an initial.
SENTENCE_END = re.compile(r"(?<=[a-z\d)]{2})[.;] (?=[A-Z\d])")


def logged_report(report: ShiftReport, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Returns a report as plain values: the worst findings, and the number of the others.

    Args:
        report: The report.
        pairs: The pairs of streams, with the profiles of their latest comparison.
    """
    by_streams = {(pair.stream, pair.against): pair for pair in pairs}
    worst = report.findings[:MAX_FINDINGS]
    findings = [
        {**finding.to_dict(), **_told(finding, by_streams.get((finding.stream, finding.against)))}
        for finding in worst
    ]
    more = len(report.findings) - len(worst)
    return {**report.to_dict(), "findings": findings, "more": more}


def _told(finding: Finding, pair: Pair | None) -> Mapping[str, Any]:
    """Returns the sentence of a finding and its parts; `metadata.py` describes these fields."""
    parts = difference(finding)
    classes = _classes(pair) if finding.feature == "labels" and pair is not None else []
    return {
        "difference": None if parts is None else parts._asdict(),
        "classes": classes,
        "sentence": " ".join(parts) if parts else _without_numbers(finding),
    }


def _without_numbers(finding: Finding) -> str:
    """Returns the first sentence of an explanation without its numbers."""
    first = SENTENCE_END.split(finding.explanation)[0]
    # In a finding on preprocessing, the words after the colon say what is wrong.
    return first if finding.kind == "preprocessing" else first.partition(": ")[0]


def _classes(pair: Pair) -> list[list[Any]]:
    """Returns `[class, share here, share there]` of the classes whose shares changed most."""
    here, there = pair.current.labels.counts, pair.reference.labels.counts
    if len(here) != len(there):
        return []
    test = compare_frequencies(here, there)
    changed = test.most_changed()[:MAX_CLASSES_NAMED]
    return [[str(i), *(float(share) for share in test.shares[:, i])] for i in changed]
