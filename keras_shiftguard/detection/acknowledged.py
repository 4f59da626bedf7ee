"""A shift that is known and accepted: it stays in the report, and raises no alarm."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keras_shiftguard.detection.finding import Finding


@dataclass(frozen=True)
class Acknowledgement:
    """Which findings are known, and why.

    Args:
        what: A finding's feature (`"input/brightness"`, `"labels"`), the part of it
            after the input's name (`"brightness"`), or a family (`"colour"`).
        stream: The stream that may differ; None for any.
        reason: For people, such as `"the new camera"`.
    """

    what: str
    stream: str | None = None
    reason: str = "known"

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is one of those."""
        names = (finding.feature, finding.feature.rpartition("/")[2], finding.family)
        return self.what in names and self.stream in (None, finding.stream)


def acknowledged(finding: Finding, known: Iterable[Acknowledgement]) -> Finding:
    """The finding, marked with the reason if it is known."""
    reason = next((each.reason for each in known if each.covers(finding)), "")
    return replace(finding, acknowledged=reason) if reason else finding
