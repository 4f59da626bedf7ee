"""`Verdict`: the one thing to do, said once, and shown in the same words everywhere.

Terminal, Shift tab, page, notebook and command print what is made here; none of them judges again.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keras_shiftguard.detection.verdict_causes import difference, labels, nothing, preprocessing
from keras_shiftguard.detection.verdict_causes.adaptation import ABOUT_ADAPTATION, adapted
from keras_shiftguard.detection.verdict_causes.parts import NOTHING_TO_DO
from keras_shiftguard.io.as_page import AsPage
from tensorboard_plugin_shiftguard.metadata import STATE_WORDS

NOT_KNOWN = "Whether adaptation helped is not known."
ALSO = "Also: "  # beginning of the note that names a second, independent fault


@dataclass(frozen=True)
class Verdict(AsPage):
    """What to do about a run, in the words that terminal, tab, page and notebook share.

    Wrong preprocessing comes first, then the difference that costs most, then adaptation. The
    details are in `ShiftReport` and `Diagnosis`.

    Args:
        state: `"act"`, `"look"`, `"corrected"`, `"fine"` or `"nothing compared"`.
        cause: What was found, in one sentence of at most 20 words.
        since: First epoch, counted from 1, in which it was found; None if unknown, or outside of a
            fit.
        cost: The share of accuracy that it costs (0.02 is two points), or None.
        cost_interval: Interval of the cost, see `Finding`, or None.
        metric: Name of what is lost: `"accuracy"`, or that of a loss; the cost is then a share of
            the loss.
        step: What to do: a line of Python to paste, or a sentence.
        cost_words: The cost in words; "" if nothing is lost.
        detail: The finding with its numbers, or the evidence; may be empty.
        adaptation: What the target gained by adaptation, or that this is not known; "" without one.
        notes: A second fault, as "Also: ..."; then what could not be measured or compared, and what
            would change that.
        about: The finding's kind and family, such as `("covariate", "blur")`; empty without one.
        streams: The stream that differs, and the one it is compared with; empty without them.
        parts: Further parts of its page: the report and the diagnoses.
    """

    state: str
    cause: str
    since: int | None = None
    cost: float | None = None
    cost_interval: tuple[float, float] | None = None
    metric: str = "accuracy"
    step: str = NOTHING_TO_DO
    cost_words: str = ""
    detail: str = ""
    adaptation: str = ""
    notes: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as plain values, with `is_code`, and `str(verdict)` as `text`."""
        fields = {name: value for name, value in vars(self).items() if name != "parts"}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
        return {**plain, "is_code": self.is_code, "text": str(self)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Verdict":
        """Returns the verdict that `to_dict` was called on, without its parts."""
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        typed: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in known.items()
        }
        return cls(**typed)

    def and_also(self, cause: str) -> "Verdict":
        """Returns the verdict with a note on a second fault."""
        note = f"{ALSO}{cause[:1].lower()}{cause[1:]}"
        return replace(self, notes=(note, *(text for text in self.notes if text != note)))

    @property
    def is_code(self) -> bool:
        """Whether `step` is a line of Python, and no sentence."""
        try:
            ast.parse(self.step)
        except SyntaxError:
            return False
        return True

    def __str__(self) -> str:
        facts = [] if self.since is None else [f"since epoch {self.since}"]
        facts += [self.cost_words] if self.cost_words else []
        text = "; ".join(facts)
        lines = [f"ShiftGuard: {STATE_WORDS[self.state]}. {self.cause}"]
        lines += [f"  {text[:1].upper()}{text[1:]}."] if text else []
        lines += [f"  Do: {self.step}"] if self.step != NOTHING_TO_DO else []
        lines += [f"  Adaptation: {self.adaptation}"] if self.adaptation else []
        lines += [f"  {'' if t.startswith(ALSO) else 'Note: '}{t}" for t in self.notes]
        return "\n".join(lines)

    def _page_parts(self) -> dict[str, Any]:
        return {"title": "Verdict", **self.parts, "verdict": self.to_dict()}


def verdict_of(
    report: Any = None,
    diagnoses: Mapping[str, Any] | None = None,
    corrected: Mapping[str, int] | None = None,
    adaptation: Mapping[str, Any] | None = None,
    guard: Mapping[str, str] | None = None,
    not_compared: Sequence[str] = (),
    leaks: bool = False,
    unrelated: bool = False,
    diverged: bool = False,
    nan_validation: bool = False,
    late: int = 0,
    parts: Mapping[str, Any] | None = None,
) -> Verdict:
    """Returns the verdict on what was found.

    Args:
        report: A `ShiftReport`; None if streams were not compared.
        diagnoses: The `Diagnosis` of each stream; the name is "" outside of a run.
        corrected: The streams whose input is corrected inside the fit, with the first such epoch.
        adaptation: None without an adaptation, else its `answer`, `after` (a sentence) and
            `saw_target`, as in `Worth.to_dict()`; empty as long as nothing was estimated.
        guard: The arguments of the user's `ShiftGuard` as code, by name; None outside of a run.
        not_compared: Sentences on what of the data is not measured.
        leaks: Whether samples of validation stand in training.
        unrelated: Whether labels and samples of validation seem to have nothing in common.
        diverged: Whether the latest loss of training is not finite.
        nan_validation: Whether the loss of validation is not finite, although its inputs are.
        late: Number of batches of an evaluation or a prediction that ran before the correction.
        parts: Further parts of the page, see `keras_shiftguard_page`.
    """
    diagnoses, corrected = diagnoses or {}, corrected or {}
    wrong = {name: d for name, d in diagnoses.items() if d.status == "mismatch"}
    uncorrected = {name: d for name, d in wrong.items() if name not in corrected}
    findings = [] if report is None else list(report.findings)
    alarms = [f for f in findings if f.matters and f.until is None]
    questions = [f for f in findings if f.is_question and f.until is None and not f.is_meant]
    over = [f for f in findings if f.matters and f.until is not None]
    doubted = {n: d for n, d in diagnoses.items() if d.status == "unknown" and d.expected.is_known}
    if any(d.trained_here for d in diagnoses.values()):  # a network learns what it is fed
        doubted = {}
    answer = None if adaptation is None else adaptation.get("answer") or "unknown"
    if uncorrected:
        found = preprocessing.mismatch(uncorrected, in_run=guard is not None)
    elif diverged:
        found = dict(labels.NAN_LOSS)
    elif alarms:
        found = difference.shift(alarms, findings, guard)
    elif nan_validation:  # questions would tell of points that were never predicted
        found = dict(labels.NAN_VALIDATION)
    elif answer == "no":
        found = adapted(answer)
    elif wrong:
        found = preprocessing.corrected(wrong, corrected, late)
    elif questions:
        found = difference.shift(questions, findings, guard)
    elif doubted:
        found = preprocessing.doubt(doubted)
    elif any(hint.name == "layers" for d in diagnoses.values() for hint in d.hints):
        found = dict(preprocessing.OWN_LAYERS)
    elif leaks:
        found = dict(labels.LEAK)
    elif unrelated:
        found = dict(labels.UNRELATED)
    elif over:
        found = difference.past(over)
    elif answer is not None:
        found = adapted(answer, bool(adaptation and adaptation.get("saw_target")))
    else:
        found = nothing.quiet(report, diagnoses, is_partial=bool(not_compared))
    if adaptation is not None:
        is_about_it = found["about"] == ABOUT_ADAPTATION
        found["adaptation"] = adaptation.get("after") or ("" if is_about_it else NOT_KNOWN)
        if found["streams"][:1] == ("target",) and "augmentation" in (guard or {}).get("adapt", ""):
            found["step"] = adapted(answer, bool(adaptation.get("saw_target")))["step"]
    # A second fault, which the first may hide.
    others = difference.also(found, alarms, uncorrected) if uncorrected or alarms else []
    if alarms and wrong and not uncorrected:
        others.append(preprocessing.corrected(wrong, corrected)["cause"])
    others = [each.rstrip(".") for each in others if each != found["cause"]]
    notes = (
        *(f"{ALSO}{each[:1].lower()}{each[1:]}." for each in others),
        *not_compared,
        *found.pop("notes", ()),
        *nothing.notes_of(report, diagnoses, found),
    )
    return Verdict(**found, notes=notes, parts=parts or {})
