"""`Finding`: one difference between two streams; and the order in which findings are listed."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

KINDS = ("preprocessing", "label", "concept", "covariate")  # the most specific first
# An |effect size| below this is "present, negligible": small relative to the spread between
# samples, even if it is significant (Cohen calls 0.2 small).
NEGLIGIBLE = 0.1
# First words of the names of features that are made from a model's outputs.
MODEL_FEATURES = ("outputs", "predictions", "layer")


@dataclass(frozen=True)
class Finding:
    """One difference between two streams.

    Args:
        feature: Name of what differs: `"input/brightness"`, `"labels"`, `"input"`.
        kind: `"covariate"`, `"label"`, `"concept"` or `"preprocessing"`.
        family: The cause in one word: `"brightness"`, `"contrast"`, `"blur"`,
            `"noise"`, `"compression"`, `"resolution"`, `"colour"`,
            `"weather"`, `"geometry"`, `"label"`, `"concept"`,
            `"preprocessing"`, `"missing"`; `"other"` where none is named.
        effect_size: Signed, in standard deviations between samples (Cohen's
            d) unless `explanation` says otherwise; for frequencies Cohen's w, which
            is not negative.
        interval: 95 % interval of the effect size.
        p_value: P-value, not corrected for the number of features and of looks;
            never 0.
        stream: Name of the stream that differs, e.g. `"validation"`.
        against: Name of the stream it is compared with, e.g. `"train"`.
        since: First epoch, counted from 1, in which it was found; None outside
            of a fit.
        explanation: One sentence with its numbers.
        expected: Whether the difference is intended (augmentation).
        negligible: Whether the effect is too small to matter.
        acknowledged: Why the difference is accepted, see `ShiftReport.acknowledge`;
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
        """Whether the finding is neither expected, nor negligible, nor acknowledged."""
        return not (self.expected or self.negligible or self.acknowledged)

    def since_epoch(self, epoch: int) -> "Finding":
        """Returns the finding with the epoch in which it was first found."""
        return replace(self, since=epoch)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


def kinds_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Returns the kinds of the findings that matter, each once, in the order of the findings."""
    return tuple(dict.fromkeys(finding.kind for finding in findings if finding.matters))


def by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sorts findings: those that matter first, then those on inputs and labels, then by effect.

    Findings on a model's outputs come after those on inputs and labels, because outputs move
    when inputs do. The largest effect is first; equal effects are sorted by p-value.
    """

    def rank(finding: Finding) -> tuple[bool, bool, float, float]:
        on_outputs = finding.feature.split("/")[0].split(" ")[0] in MODEL_FEATURES
        return not finding.matters, on_outputs, -abs(finding.effect_size), finding.p_value

    return tuple(sorted(findings, key=rank))
