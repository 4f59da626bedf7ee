"""`repairs_of`: the repair of each input of a stream, whose effect pictures and curves show."""

from collections.abc import Iterable

from keras_shiftguard.detection.finding import Finding, source_of


def repairs_of(findings: Iterable[Finding], inputs: Iterable[str]) -> dict[str, Finding]:
    """Returns the costliest alarm that has a repair and still lasts, by name of the input.

    `findings` are those on one stream.
    """
    known = [f for f in findings if f.matters and f.until is None and f.row and f.row.repaired_by]
    found = {}
    for name in inputs:
        of_input = [f for f in known if f"{f.feature}/".startswith(f"{source_of(name)}/")]
        if of_input:
            found[name] = max(of_input, key=lambda finding: finding.cost or 0.0)
    return found
