"""Findings of a report, and names of columns, as the Shift tab and the page of a run read them."""

from collections.abc import Sequence
from typing import Any

from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.sentences import ids_in_group
from keras_shiftguard.profiles.token_groups import NUM_GROUPS
from tensorboard_plugin_shiftguard.metadata import (
    ALARM,
    EXPECTED,
    MAX_FINDINGS,
    NEGLIGIBLE,
    REPORTED,
)

MAX_COLUMNS = 200  # of a table, whose names are logged. A convention.


def logged_report(report: ShiftReport, limit: int = MAX_FINDINGS) -> dict[str, Any]:
    """Returns a report as plain values, with its worst findings and the number of the others.

    Args:
        report: The report.
        limit: The largest number of findings.
    """
    content = report.to_dict()
    findings = content["findings"]
    return {**content, "findings": findings[:limit], "more": len(findings[limit:])}


def logged_columns(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """Returns the names of the columns of tables, by the first part of the names of features.

    Of several inputs, one that is a single number has the name of the input. The names of the
    hashed groups of token ids have the key `"<input>/group"`.
    """
    named: dict[str, list[str]] = {}
    for profile in (profile for pair in pairs for profile in (pair.reference, pair.current)):
        for name, summary in profile.inputs.items():
            is_single = len(profile.inputs) > 1 and summary.num_channels == 1
            names = summary.columns or ((name,) if is_single and not summary.is_image else ())
            if names:
                named[source_of(name)] = list(names[:MAX_COLUMNS])
    for pair in sorted(pairs, key=lambda pair: len(pair.reported)):  # that of the most findings
        for name in pair.current.inputs.keys() & pair.reference.inputs.keys():
            ids = [p.inputs[name].tokens for p in (pair.current, pair.reference)]
            if len(ids[0]) and len(ids[0]) == len(ids[1]):
                groups = [f"share of {ids_in_group(i, *ids)}" for i in range(NUM_GROUPS)]
                named[f"{source_of(name)}/group"] = groups
    return named


def flags_and_cost(tested: Finding, pair: Pair) -> tuple[int, float]:
    """Returns the flags of a feature, see `metadata`, and its cost; NaN if that is not known.

    Args:
        tested: The latest test of the feature.
        pair: The pair of streams.
    """
    name = tested.feature
    finding = pair.reported.get(name, tested)
    expected = finding.expected or name in pair.expected
    # A significant feature without a finding of its own has the same cause as a finding. So it is
    # an alarm only if a finding of the pair matters.
    lasting = [f for f in pair.reported.values() if f.until is None]
    along = name in pair.significant and any(f.matters for f in lasting)
    reported = name in pair.reported and finding.until is None
    alarm = (reported or along) and finding.matters and finding.until is None
    flags = ALARM * (alarm and not expected) + EXPECTED * expected
    flags += NEGLIGIBLE * finding.negligible + REPORTED * reported
    is_over = finding.until is not None
    return flags, float("nan") if finding.cost is None or is_over else finding.cost
