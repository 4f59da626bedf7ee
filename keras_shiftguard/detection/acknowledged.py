"""Acknowledged shifts: known and accepted, listed in the report but without an alarm."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keras_shiftguard.detection.finding import Finding


@dataclass(frozen=True)
class Acknowledgement:
    """A rule that says which findings are known, and why.

    Args:
        what: A finding's feature (`"input/brightness"`, `"labels"`), its part after the
            last slash (`"brightness"`), or a family (`"colour"`).
        stream: Name of the stream that may differ; None for any.
        reason: Text for the report, such as `"the new camera"`.
    """

    what: str
    stream: str | None = None
    reason: str = "known"

    def covers(self, finding: Finding) -> bool:
        """Whether the rule applies to a finding."""
        names = (finding.feature, finding.feature.rpartition("/")[2], finding.family)
        return self.what in names and self.stream in (None, finding.stream)


def acknowledged(finding: Finding, known: Iterable[Acknowledgement]) -> Finding:
    """Returns the finding, marked with the reason of the first rule that applies to it."""
    reason = next((each.reason for each in known if each.covers(finding)), "")
    return replace(finding, acknowledged=reason) if reason else finding
