"""Past findings: differences that were found in earlier epochs, and that a later look excludes.

A finding is never removed during a fit, so the report has to say that it is over: "in epochs 1 to
3 only". That a later look does not find it again is not enough, because later looks have a lower
level.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keras_shiftguard.detection.finding import NEGLIGIBLE, Finding


def with_past(
    findings: Mapping[str, Finding],
    found: Iterable[Finding],
    tested: Iterable[Finding],
    last: int | None,
) -> dict[str, Finding]:
    """Returns the findings of a pair of streams with `until` set for those that are over.

    Args:
        findings: The findings so far, by feature.
        found: The findings of the latest look.
        tested: All tests of the latest look, significant or not.
        last: Epoch of the look before, counted from 1; None outside of a fit.
    """
    again = {finding.feature for finding in found}
    tests = {test.feature: test for test in tested}
    marked = {}
    for feature, finding in findings.items():
        if feature in again:
            finding = replace(finding, until=None)
        elif test := tests.get(feature):
            is_over = _is_excluded(finding, test)
            finding = replace(finding, until=(finding.until or last) if is_over else None)
        marked[feature] = finding
    return marked


def _is_excluded(finding: Finding, test: Finding) -> bool:
    """Whether a test excludes the effect that was found, and finds no effect that matters."""
    low, high = test.interval
    is_other = not low <= finding.effect_size <= high
    return is_other and (low <= 0 <= high or abs(test.effect_size) < NEGLIGIBLE)
