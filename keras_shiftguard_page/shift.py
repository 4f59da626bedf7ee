"""The sections of a page on a `ShiftReport`."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard_page.content import Section, table
from keras_shiftguard_page.words import (
    interval,
    is_accuracy,
    number,
    p_value,
    points,
    sentence,
    stream,
)
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH
from tensorboard_plugin_shiftguard.words import in_plain_words

MAX_FINDINGS = 60  # rows of the table
# Default values of fields that findings of older logs, or those of `compare`, may lack.
ABSENT: dict[str, Any] = {"until": None}


def about_shift(report: Mapping[str, Any], told: tuple[str, ...] = ()) -> list[Section]:
    """Returns the sections for `ShiftReport.to_dict()`, without the notes that were told above."""
    findings = [{**ABSENT, **finding} for finding in report["findings"]]
    for finding in findings:
        finding["explanation"] = in_plain_words(finding["explanation"] or "")
    rows = [_row(finding) for finding in findings]
    columns = "What differs|Cause|Epochs|Cost in points|Effect size|p-value|Verdict"
    right = "Epochs|Cost in points|Effect size|p-value"
    tables = table(columns, rows, right, MAX_FINDINGS, report.get("more", 0))
    notes = tuple(sentence(note) for note in report["notes"][:MAX_FINDINGS])
    known = {sentence(note) for note in told}
    notes = tuple(note for note in notes if note not in known)
    sections = []
    if tables:
        counted = {k: n for k, n in report["num_samples"].items() if k != FIRST_EPOCH}
        sizes = ", ".join(f"{stream(k)} {n:,}" for k, n in counted.items())
        sections.append(Section("Findings", sizes and f"samples: {sizes}", tables=tables))
    if notes:
        sections.append(Section("What could not be tested", sentences=notes))
    return sections


def is_cost_unclear(finding: Mapping[str, Any]) -> bool:
    """Whether the cost of a finding may be 0, and may be above the tolerance."""
    return not finding["matters"] and bool(finding["is_question"])


def _row(finding: Mapping[str, Any]) -> tuple[str, ...]:
    lost = points(finding["cost"])
    if lost and not is_accuracy(finding.get("metric")):
        lost += " %"
    if lost and finding["cost_interval"]:
        lost += f" ({interval(finding['cost_interval'])})"
    size = f"{number(finding['effect_size'])} ({interval(finding['interval'], number)})"
    epochs = "" if finding["since"] is None else f"since {finding['since']}"
    if finding["until"] is not None:
        epochs = f"{finding['since']} to {finding['until']}"
    text = sentence(finding["explanation"])
    return text, finding["family"], epochs, lost, size, p_value(finding["p_value"]), _why(finding)


def _why(finding: Mapping[str, Any]) -> str:
    """Returns whether a finding is an alarm, and if not, why."""
    if finding["matters"]:
        return "alarm"
    if finding["acknowledged"]:
        return f"acknowledged: {finding['acknowledged']}"
    if finding["negligible"]:
        return "too small to matter"
    if finding["expected"]:
        return "expected: training was resampled"
    if finding["cost_words"]:
        return str(finding["cost_words"])
    return "a question" if finding["is_question"] else "within tolerance"
