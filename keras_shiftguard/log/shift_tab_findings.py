"""Findings of a report, and names of columns, as the Shift tab and the page of a run read them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.words.sentences import ids_in_group
from keras_shiftguard.log.shift_tab_bins import tables
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.profiles.token_groups import NUM_GROUPS
from tensorboard_plugin_shiftguard.metadata import (
    ALARM,
    EXPECTED,
    MAX_FEATURES,
    MAX_FINDINGS,
    NEGLIGIBLE,
    REPORTED,
)

MAX_COLUMNS = 200  # of a table, whose names are logged. A convention.


def single(value: Any) -> float | None:
    """Returns a single number as a float; None for anything else that a callback may log."""
    try:
        return float(value) if np.ndim(value) == 0 else None
    except (TypeError, ValueError):
        return None


def logged_report(report: ShiftReport, limit: int = MAX_FINDINGS) -> dict[str, Any]:
    """Returns a report as plain values, with its worst findings and the number of the others."""
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
    for pair in sorted(pairs, key=lambda pair: len(pair.findings)):  # that of the most findings
        for name in pair.current.inputs.keys() & pair.reference.inputs.keys():
            ids = [p.inputs[name].tokens for p in (pair.current, pair.reference)]
            if len(ids[0]) and len(ids[0]) == len(ids[1]):
                groups = [f"share of {ids_in_group(i, *ids)}" for i in range(NUM_GROUPS)]
                named[f"{source_of(name)}/group"] = groups
    return named


def latest_tests(pair: Pair) -> tuple[dict[str, Finding], list[str]]:
    """Returns the latest test of each feature, and the names in the order in which they are shown.

    Findings that are certain without a test are among them. If there are too many features to show
    all, findings come first. Otherwise the order is that of the data, so that a second fit
    continues the same series.
    """
    tested = {finding.feature: finding for finding in pair.latest.tested}
    tested |= {name: f for name, f in pair.findings.items() if name not in tested}
    findings_first = len(tested) > MAX_FEATURES
    return tested, sorted(tested, key=lambda name: findings_first and name not in pair.findings)


def means_and_stds(profile: InputProfile) -> dict[str, tuple[float, float]]:
    """Returns the mean and standard deviation of each feature, by name as in findings."""
    return {
        f"{source}/{name}": (float(mean), float(std))
        for source, table in tables(profile).items()
        for name, mean, std in zip(table.names, table.moments.mean, table.moments.std, strict=True)
    }


def flags_and_cost(tested: Finding, pair: Pair) -> tuple[int, float]:
    """Returns the flags of a feature, see `metadata`, and its cost; NaN if that is not known.

    `tested` is the latest test of the feature.
    """
    name = tested.feature
    finding = pair.findings.get(name, tested)
    expected = finding.expected or name in pair.expected
    is_over = finding.until is not None
    # A significant feature without a finding of its own has the same cause as a finding. So it is
    # an alarm only if a finding of the pair matters.
    lasting = [f for f in pair.findings.values() if f.until is None]
    along = name in pair.significant and any(f.matters for f in lasting)
    reported = name in pair.findings and not is_over
    alarm = (reported or along) and finding.matters and not is_over
    flags = ALARM * (alarm and not expected) + EXPECTED * expected
    flags += NEGLIGIBLE * finding.negligible + REPORTED * reported
    return flags, float("nan") if finding.cost is None or is_over else finding.cost
