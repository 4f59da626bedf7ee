"""`ShiftReport`: the result of a comparison, or of all comparisons of a fit."""

from dataclasses import dataclass, replace
from typing import Any

from keras_shiftguard.detection.acknowledged import Acknowledgement, acknowledged
from keras_shiftguard.detection.finding import Finding, by_severity, kinds_of
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.detection.words.plain_words import difference, sentence_of
from keras_shiftguard.detection.words.report_words import listed, verdict
from keras_shiftguard.io.as_page import AsPage


@dataclass(frozen=True)
class ShiftReport(AsPage):
    """Report on shift between streams: what differs, how certainly, and since when.

    `str(report)` is a text for people: a line that says whether anything shifted, then at
    most five findings, worst first, then the notes.

    Args:
        findings: The findings, the most severe first (`finding.by_severity`).
        notes: Sentences on what could not be tested, and why.
        alpha: Probability that the report contains any finding if nothing differs.
        num_samples: Number of samples seen of each stream, by name.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    alpha: float = 0.05
    num_samples: dict[str, int] | None = None

    @property
    def shifted(self) -> bool:
        """Whether any finding is an alarm (`Finding.matters`)."""
        return any(finding.matters for finding in self.findings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the alarms, each once, the worst first."""
        return kinds_of(self.findings)

    def acknowledge(
        self, what: str, stream: str | None = None, reason: str = "known"
    ) -> "ShiftReport":
        """Returns the report with a shift marked as known: it is listed, but is no alarm.

        Args:
            what: Feature or family of a finding: `"input/brightness"`,
                `"brightness"`, `"labels"`.
            stream: Name of the stream that differs; None for any.
            reason: Why the shift is accepted; a text for the report.
        """
        known = [Acknowledgement(what, stream, reason)]
        marked = [acknowledged(finding, known) for finding in self.findings]
        return replace(self, findings=by_severity(marked))

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain Python values, for JSON.

        Each finding also has `matters`, its `sentence` (without the numbers of the test), and the
        `difference`, which is that sentence in parts, or None.
        """
        findings = [_as_dict(finding) for finding in self.findings]
        return {
            "headline": verdict(self.findings, self.notes, self.alpha, self.num_samples),
            "shifted": self.shifted,
            "kinds": list(self.kinds),
            "alpha": self.alpha,
            "num_samples": dict(self.num_samples or {}),
            "findings": findings,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        head = verdict(self.findings, self.notes, self.alpha, self.num_samples)
        return "\n".join([head, *listed(self.findings), *(f"  note: {n}" for n in self.notes)])

    def _page_parts(self) -> dict[str, Any]:
        told = verdict_of(self).to_dict()
        return {"title": "Shift report", "report": self.to_dict(), "verdict": told}


def _as_dict(finding: Finding) -> dict[str, Any]:
    parts = difference(finding)
    fields = finding.to_dict()
    del fields["said"]  # what it says is in the explanation, and in the two texts
    return {
        **fields,
        "matters": finding.matters,
        "sentence": sentence_of(finding),
        "difference": None if parts is None else parts._asdict(),
    }
