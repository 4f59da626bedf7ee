"""`Finding`: one difference between two streams; and the order in which findings are listed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from keras_shiftguard.detection.gap_row import ACCURACY, GapRow, in_words
from keras_shiftguard.detection.words.said import Said

# An |effect size| below this is "present, negligible": small relative to the spread between
# samples, even if it is significant (Cohen calls 0.2 small). A convention.
NEGLIGIBLE = 0.1
LARGE = 0.8  # the |effect size| that Cohen (1988) calls large
RELABELLED = "relabelled"  # family of the findings on wrong labels
# First words of the names of features that are made from a model's outputs.
MODEL_FEATURES = ("outputs", "predictions", "layer")
# First words of the names of features that are not features of an input.
OWN_SOURCES = ("labels", "augmentation", *MODEL_FEATURES)


def source_of(name: str) -> str:
    """Returns the first part of the names of an input's features.

    This is the name of the input, except for the names in `OWN_SOURCES`: for an input named
    "labels", it is "input labels".
    """
    return f"input {name}" if name in OWN_SOURCES else name


@dataclass(frozen=True)
class Finding:
    """One difference between two streams.

    Args:
        feature: Name of what differs: `"input/brightness"`, `"labels"`, `"input"`.
        kind: `"covariate"`, `"label"`, `"concept"` or `"preprocessing"`.
        family: The cause in one word: `"brightness"`, `"contrast"`, `"blur"`,
            `"noise"`, `"compression"`, `"resolution"`, `"colour"`,
            `"weather"`, `"geometry"`, `"label"`, `"relabelled"`,
            `"preprocessing"`, `"augmentation"`, `"missing"`; `"other"` if no
            cause is named.
        effect_size: Signed size of the difference, in standard deviations between
            samples (Cohen's d) unless `explanation` says otherwise; for frequencies
            Cohen's w, which is not negative.
        interval: 95 % interval of the effect size.
        p_value: P-value, not corrected for the number of features and of
            comparisons during a fit; never 0.
        stream: Name of the stream that differs, e.g. `"validation"`.
        against: Name of the stream it is compared with, e.g. `"train"`.
        since: First epoch, counted from 1, in which the difference was found; None
            outside of a fit.
        explanation: One or two sentences with numbers; those of `said`, if it is given.
        expected: Whether the difference is intended: another class mix, as resampling makes it.
        negligible: Whether the effect is too small to matter.
        acknowledged: Why the difference is accepted, see `ShiftReport.acknowledge`;
            empty if it is not.
        row: The row of the account that undoes the difference, from which `cost`, `repair` ... are
            read; None if there is none.
        at_most: What the difference can cost at most, as the account left it; None if unknown.
        harmless: Whether it surely costs no more than the tolerance. Never true for a difference in
            preprocessing.
        is_question: Whether the finding is no alarm, because its cost is not sure, or could not be
            measured.
        fix: A line of Python that undoes a known step of preprocessing in a batch `x` of the
            stream; "" if unknown.
        said: The explanation in parts; None if it has none.
        until: Last epoch in which the streams differed, if a later epoch excludes the
            difference, see `detection/past.py`; None while it lasts, and outside of a fit.
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
    explanation: str = ""
    expected: bool = False
    negligible: bool = False
    acknowledged: str = ""
    row: GapRow | None = None
    at_most: float | None = None
    harmless: bool = False
    is_question: bool = False
    until: int | None = None
    fix: str = ""
    said: Said | None = None

    def __post_init__(self) -> None:
        if self.said is not None:
            object.__setattr__(self, "explanation", self.said.text)

    @property
    def matters(self) -> bool:
        """Whether the finding is an alarm.

        An expected difference is an alarm only if it has a cost.
        """
        if self.negligible or self.acknowledged or self.is_question or self.harmless:
            return False
        return not self.expected or self.cost is not None

    @property
    def is_certain(self) -> bool:
        """Whether it is a fault whatever it costs: another scale, channel order or shape.

        Images of another size are none, because training may be on crops.
        """
        return self.kind == "preprocessing" and self.family != "resolution"

    @property
    def cost(self) -> float | None:
        """The share of accuracy, or of the loss, that its row wins back; None without a row."""
        return None if self.row is None else self.row.points

    @property
    def cost_interval(self) -> tuple[float, float] | None:
        """95 % interval of the cost; None without a row."""
        return None if self.row is None else self.row.interval

    @property
    def metric(self) -> str:
        """Name of what is lost: `"accuracy"`, or the name of the loss."""
        return ACCURACY if self.row is None else self.row.metric

    @property
    def operation(self) -> tuple[str, Any] | None:
        """Name and strength of the operation that wins the accuracy back; None if unknown."""
        return None if self.row is None else self.row.operation

    @property
    def repair(self) -> Any:
        """A callable that does to a batch what the experiment did, see `GapRow.repair`, or None."""
        return None if self.row is None else self.row.repair

    @property
    def cost_words(self) -> str:
        """The cost in words; "" if it is unknown."""
        if self.row is not None:
            verb = "costs" if self.metric == ACCURACY else "causes"
            return f"{verb} about {in_words(self.row.points, self.metric, self.row.interval)}"
        if self.at_most is None:
            return ""
        most = in_words(max(self.at_most, 0.0), self.metric)
        if self.harmless:
            return f"costs at most {most}"
        return f"cost unclear: at most {most}, and nothing that was tried wins any back"

    def with_row(self, row: GapRow | None, at_most: float, tolerance: float) -> "Finding":
        """Returns the finding with its row, which makes it an alarm, a question or harmless.

        A difference in preprocessing is always an alarm, because it is never intended.

        Args:
            row: The row of the account that undoes it; None if there is none.
            at_most: What it can cost without a row.
            tolerance: The share of accuracy that a difference may cost.
        """
        decides = self.kind != "preprocessing"
        is_alarm = row is not None and row.sure and row.points > tolerance
        harmless = decides and not is_alarm and at_most <= tolerance
        said = self.said
        if is_alarm and row is not None and said is not None:
            cause = f"{row.cause[:1].upper()}{row.cause[1:]}"
            said = said if cause == said.head else said._replace(cause=cause)
        return replace(
            self,
            said=said,
            row=row if is_alarm else None,
            at_most=None if is_alarm or not decides else at_most,
            harmless=harmless,
            is_question=decides and not harmless and not is_alarm,
        )

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Finding":
        """Returns the finding that has these fields, the result of `to_dict`.

        Fields of other versions are left out.
        """
        known = {f.name: fields[f.name] for f in dataclass_fields(cls) if f.name in fields}
        known["interval"] = tuple(known["interval"])
        row = fields.get("row")
        if row is None and fields.get("cost") is not None:  # of a version before 0.4
            row = {
                "kind": "input",
                "cause": str(fields.get("explanation", "")),
                "points": fields["cost"],
                "interval": fields.get("cost_interval") or (0.0, 0.0),
                "sure": not fields.get("is_question"),
                "metric": fields.get("metric", ACCURACY),
            }
        return cls(
            **{**known, "row": GapRow.from_dict(row), "said": Said.from_parts(fields.get("said"))}
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, and what is read from the row."""
        return {
            **vars(self),
            "row": None if self.row is None else self.row.to_dict(),
            "cost": self.cost,
            "cost_interval": self.cost_interval,
            "cost_words": self.cost_words,
            "metric": self.metric,
        }


def when(finding: Finding) -> str:
    """Returns the epochs of a finding as the end of a sentence; "" outside of a fit.

    >>> dark = Finding("input/brightness", "covariate", "brightness", -2.0, (-2.2, -1.8), 1e-9,
    ...     "validation", "train", 1, "Validation images are darker")
    >>> when(dark), when(replace(dark, until=3)), when(replace(dark, until=1))
    (', since epoch 1', ', in epochs 1 to 3 only', ', in epoch 1 only')
    """
    if finding.since is None:
        return ""
    if finding.until is None:
        return f", since epoch {finding.since}"
    if finding.until <= finding.since:
        return f", in epoch {finding.since} only"
    return f", in epochs {finding.since} to {finding.until} only"


def kinds_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Returns the kinds of the findings that matter, each once, in the order of the findings."""
    return tuple(dict.fromkeys(finding.kind for finding in findings if finding.matters))


def by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sorts findings: those that matter first, and those that are over after those that last.

    Findings on a model's outputs then come after those on inputs and labels, because outputs move
    when inputs do. The largest effect is first; equal effects are sorted by p-value.
    """

    def rank(finding: Finding) -> tuple[bool, bool, bool, float, float]:
        on_outputs = finding.feature.split("/")[0].split(" ")[0] in MODEL_FEATURES
        is_over = finding.until is not None
        size = -abs(finding.effect_size)
        return not finding.matters, is_over, on_outputs, size, finding.p_value

    return tuple(sorted(findings, key=rank))
