"""Acknowledged shifts: the user knows and accepts them; a report lists them without an alarm."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keras_shiftguard.detection.finding import Finding


@dataclass(frozen=True)
class Acknowledgement:
    """A rule that says which findings are known, and why.

    Args:
        what: The findings that are known: those on a feature (`"input/brightness"`,
            `"labels"`), on all features with this name after the last slash
            (`"brightness"`), or of a family (`"colour"`).
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
    """Returns the finding, marked with the reason of the first rule that applies, if one does."""
    reason = next((each.reason or "known" for each in known if each.covers(finding)), "")
    return replace(finding, acknowledged=reason) if reason else finding
