"""Findings of a report in the form that the Shift tab and the page of a run read.

The tab and the page join the parts of several findings to one headline ("darker and noisier"), and
name the classes of a label shift. The log holds these parts and classes, so that neither reader has
to parse a sentence.
"""

from collections.abc import Sequence
from typing import Any

from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.sentences import MAX_CLASSES_NAMED
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from tensorboard_plugin_shiftguard.metadata import MAX_FINDINGS


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


def _classes(pair: Pair) -> list[list[Any]]:
    """Returns `[class, share, reference share]` of the classes whose shares changed most."""
    here, there = pair.current.labels.counts, pair.reference.labels.counts
    if len(here) != len(there):
        return []
    test = compare_frequencies(here, there)
    changed = test.most_changed()[:MAX_CLASSES_NAMED]
    return [[str(i), *(float(share) for share in test.shares[:, i])] for i in changed]
