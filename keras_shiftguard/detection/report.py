"""What was found: `Finding` and `ShiftReport`."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from keras_shiftguard.io.notebook_card import BAD, GOOD, card

KINDS = ("preprocessing", "label", "concept", "covariate")  # the more specific first
# |effect size| below this is "present, negligible": real perhaps, but small
# against the spread between samples (Cohen calls 0.2 small).
NEGLIGIBLE = 0.1
MOST_SHOWN = 5
OF_THE_MODEL = ("outputs", "predictions", "layer")


@dataclass(frozen=True)
class Finding:
    """One thing that differs between two streams.

    Args:
        feature: What differs: `"input/brightness"`, `"labels"`, `"input"`.
        kind: `"covariate"`, `"label"`, `"concept"` or `"preprocessing"`.
        family: The cause in one word: `"brightness"`, `"contrast"`, `"blur"`,
            `"noise"`, `"compression"`, `"resolution"`, `"colour"`,
            `"weather"`, `"geometry"`, `"label"`, `"concept"`,
            `"preprocessing"`, `"missing"`; `"other"` where none is named.
        effect_size: Signed, in standard deviations between samples (Cohen's
            d) unless `explanation` says otherwise; for frequencies Cohen's w.
        interval: 95 % interval of the effect size.
        p_value: Before correction over features and looks; never 0.
        stream: The stream that differs, e.g. `"validation"`.
        against: What it is compared with, e.g. `"train"`.
        since: First epoch, counted from 1, in which it was found; None outside
            of a fit.
        expected: Whether it is meant to be so (augmentation).
        negligible: Whether the effect is too small to matter.
        explanation: One sentence with its numbers.
        acknowledged: Why it is known and accepted, see `ShiftReport.acknowledge`;
            empty if it is not.
    """

    feature: str
    kind: str
    family: str
    effect_size: float
    interval: tuple[float, float]
    p_value: float
    stream: str
    against: str
    since: int | None
    explanation: str
    expected: bool = False
    negligible: bool = False
    acknowledged: str = ""

    @property
    def matters(self) -> bool:
        return not (self.expected or self.negligible or self.acknowledged)

    def since_epoch(self, epoch: int) -> "Finding":
        """The same finding, dated."""
        return replace(self, since=epoch)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ShiftReport:
    """What shifted between streams, how sure, since when.

    `str(report)` is what a person reads: the verdict, then at most five
    findings, worst first.

    Args:
        findings: Sorted by severity: what matters first, then by effect size.
        notes: Plain sentences on what could not be judged, and why.
        alpha: False-alarm rate of everything in this report together.
        num_samples: Samples seen of each stream, by name.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    alpha: float = 0.05
    num_samples: dict[str, int] | None = None

    @property
    def shifted(self) -> bool:
        """Whether anything differs that matters."""
        return any(finding.matters for finding in self.findings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the shifts that matter, each once, the worst first."""
        return tuple(dict.fromkeys(f.kind for f in self.findings if f.matters))

    def acknowledge(
        self, what: str, stream: str | None = None, reason: str = "known"
    ) -> "ShiftReport":
        """The same report, with a shift that is known: still listed, no alarm.

        Args:
            what: Feature or family of a finding: `"input/brightness"`,
                `"brightness"`, `"labels"`.
            stream: The stream that differs; None for any.
            reason: Why it is accepted, for people.
        """
        from keras_shiftguard.detection.acknowledged import Acknowledgement, acknowledged

        known = [Acknowledgement(what, stream, reason)]
        marked = [acknowledged(finding, known) for finding in self.findings]
        return replace(self, findings=by_severity(marked))

    def to_dict(self) -> dict[str, Any]:
        return {
            "shifted": self.shifted,
            "kinds": list(self.kinds),
            "alpha": self.alpha,
            "num_samples": dict(self.num_samples or {}),
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        from keras_shiftguard.detection.words import in_words

        return in_words(self)

    def _repr_html_(self) -> str:
        rows = [
            (f.feature, f.kind, f"{f.effect_size:.2g}", f"{f.p_value:.1g}", f.stream, f.against)
            for f in self.findings
        ]
        columns = ("feature", "kind", "effect size", "p-value", "stream", "against")
        return card(str(self), BAD if self.shifted else GOOD, columns, rows)


def by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    """What matters first, causes before consequences, then the larger effect.

    A model's outputs move when its inputs do, so inputs and labels are told
    before them; ties go by p-value.
    """

    def rank(finding: Finding) -> tuple[bool, bool, float, float]:
        consequence = finding.feature.split("/")[0].split(" ")[0] in OF_THE_MODEL
        return not finding.matters, consequence, -abs(finding.effect_size), finding.p_value

    return tuple(sorted(findings, key=rank))
