"""`Finding`: one difference between two streams; and the order in which findings are listed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from importlib import import_module
from typing import Any

from keras_shiftguard.detection.cost import Cost
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


# The fields that hold the cost of a finding, as they are without one.
NO_COST: dict[str, Any] = {
    "cost": None,
    "cost_interval": None,
    "harmless": False,
    "is_question": False,
    "cost_words": "",
    "metric": "accuracy",
    "repaired_by": None,
    "beside": None,
    "is_meant": False,
}


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
        cost: What an experiment on samples that did not choose it won back: 0.02 is two points of
            accuracy. None if unknown; without `cost_words`, the effect size then decides whether
            the finding is an alarm.
        cost_interval: 95 % interval of the cost, whose upper end includes what the repair leaves
            unexplained; None without a cost.
        metric: Name of what is lost: `"accuracy"`, or the name of the compiled loss; the cost is
            then the share of the loss that is won back: 0.3 is 30 % of it.
        harmless: Whether the samples exclude a cost above the tolerance. Never true for a
            difference in preprocessing.
        cost_words: The cost in words; empty without a cost.
        is_question: Whether the finding is no alarm, because its cost is not sure, or could not be
            measured.
        fix: A line of Python that undoes a known step of preprocessing in a batch `x` of the
            stream; "" if unknown.
        said: The explanation in parts; None if it has none.
        is_meant: Whether it is a question only because training is augmented, see `Cost`.
        repaired_by: What wins the accuracy back, as the arguments of `Repair`; None if unknown.
        beside: The first compiled metric on the samples of the experiment: its name, its value as
            they are, and repaired; None if unknown, or if accuracy is that metric.
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
    cost: float | None = None
    cost_interval: tuple[float, float] | None = None
    harmless: bool = False
    cost_words: str = ""
    is_question: bool = False
    metric: str = "accuracy"
    repaired_by: Mapping[str, Any] | None = None
    until: int | None = None
    beside: tuple[str, float, float] | None = None
    fix: str = ""
    said: Said | None = None
    is_meant: bool = False

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
    def operation(self) -> tuple[str, Any] | None:
        """Name and strength of the operation that wins the accuracy back; None if unknown."""
        if self.repaired_by is None:
            return None
        name, strength = self.repaired_by["operations"][0]
        return str(name), strength

    @property
    def repair(self) -> Any:
        """A Keras layer that does to a batch what the experiment did; None if there is none.

        Returns:
            `Repair`, which takes a batch as the model is fed it, `(samples, ...)`, and returns it
            repaired, float32. It can be saved with a model.
        """
        if self.repaired_by is None:
            return None
        # Findings can be read where no backend is installed, and the layer cannot.
        module = import_module("keras_shiftguard.operations.repair")
        return module.Repair(**self.repaired_by)

    def with_cost(self, cost: Cost | None, tolerance: float) -> "Finding":
        """Returns the finding with its cost, which makes it an alarm, a question or harmless.

        A difference in preprocessing is always an alarm, because it is never intended. `tolerance`
        is the share of accuracy that a difference may cost.
        """
        if cost is None:
            return replace(self, **NO_COST)
        decides = self.kind != "preprocessing"
        harmless = decides and cost.is_harmless(tolerance)
        return replace(
            self,
            cost=cost.value if cost.is_measured else None,
            cost_interval=cost.bounds if cost.is_measured else None,
            harmless=harmless,
            is_question=decides and not harmless and not cost.is_alarm(tolerance),
            cost_words=cost.in_words(tolerance),
            metric=cost.metric,
            repaired_by=cost.repair if cost.is_alarm(tolerance) else None,
            beside=cost.beside if cost.is_alarm(tolerance) else None,
            is_meant=cost.is_meant,
        )

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Finding":
        """Returns the finding that has these fields, the result of `to_dict`.

        Fields of other versions are left out.
        """
        fields = {
            field.name: fields[field.name]
            for field in dataclass_fields(cls)
            if field.name in fields
        }
        pairs = {
            name: tuple(fields[name])
            for name in ("interval", "cost_interval", "beside")
            if fields.get(name) is not None
        }
        return cls(**{**fields, **pairs, "said": Said.from_parts(fields.get("said"))})

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return dict(vars(self))


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
