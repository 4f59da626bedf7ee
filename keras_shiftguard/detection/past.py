"""Past findings: differences that were found in earlier epochs, and that a later look excludes.

A finding is never removed during a fit, so the report has to say that the difference is over: "in
epochs 1 to 3 only". A difference is over if a later look (comparison) shows no difference at the
level of a single test, or a negligible one, and if the effect that was found lies outside of the
later look's interval. The finding then stays over until it is found again. It is not enough that a
later look does not find the difference, because later looks have a lower level.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keras_shiftguard.detection.finding import NEGLIGIBLE, Finding

LEVEL = 0.05  # significance level of a single test. A convention.


def with_past(
    findings: Mapping[str, Finding],
    found: Iterable[Finding],
    tested: Iterable[Finding],
    last: int | None,
) -> dict[str, Finding]:
    """Returns the findings of a pair of streams; `until` is set for those that are over, else None.

    `found` are the findings of the latest look, `tested` all its tests, significant or not. `last`
    is the epoch of the previous look, counted from 1; None outside of a fit.
    """
    again = {finding.feature for finding in found}
    tests = {test.feature: test for test in tested}
    marked = {}
    for feature, finding in findings.items():
        if feature in again:
            finding = replace(finding, until=None)
        elif test := tests.get(feature):
            is_other = not test.interval[0] <= finding.effect_size <= test.interval[1]
            is_none = test.p_value > LEVEL or abs(test.effect_size) < NEGLIGIBLE
            if finding.until is None and is_other and is_none:
                finding = replace(finding, until=last)
        marked[feature] = finding
    return marked
