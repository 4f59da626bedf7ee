"""`Verdict`: the one thing to do, said once, and shown in the same words everywhere.

Terminal, Shift tab, page, notebook and command print what is made here; none of them judges again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keras_shiftguard.detection.verdicts import account, difference, facts, nothing, preprocessing
from keras_shiftguard.detection.verdicts.adaptation import ABOUT_ADAPTATION, adapted
from keras_shiftguard.detection.verdicts.parts import NOTHING_TO_DO
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
        return account.is_code(self.step)

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
    gap: Any = None,
    corrected: Mapping[str, int] | None = None,
    adaptation: Mapping[str, Any] | None = None,
    guard: Mapping[str, str] | None = None,
    not_compared: Sequence[str] = (),
    leaks: bool = False,
    diverged: bool = False,
    nan_validation: bool = False,
    late: int = 0,
    parts: Mapping[str, Any] | None = None,
) -> Verdict:
    """Returns the verdict: the first of these that was found.

    Wrong preprocessing; a loss that is no number; a certain difference; the largest sure row of the
    account; other alarms; a sure rest of the gap that nothing explains; a difference of unknown
    cost; what is merely doubtful; fine, which says where a sure gap comes from.

    Args:
        report: A `ShiftReport`; None if streams were not compared.
        diagnoses: The `Diagnosis` of each stream; the name is "" outside of a run.
        gap: A `GapReport`; None without one.
        corrected: The streams whose input is corrected inside the fit, with the first such epoch.
        adaptation: None without an adaptation, else its `answer`, `after` (a sentence) and
            `saw_target`, as in `Worth.to_dict()`; empty as long as nothing was estimated.
        guard: The arguments of the user's `ShiftGuard` as code, by name; None outside of a run.
        not_compared: Sentences on what of the data is not measured.
        leaks: Whether samples of validation stand in training.
        diverged: Whether the latest loss of training is not finite.
        nan_validation: Whether the loss of validation is not finite, although its inputs are.
        late: Number of batches of an evaluation or a prediction that ran before the correction.
        parts: Further parts of the page, see `keras_shiftguard_page`.
    """
    diagnoses, corrected = diagnoses or {}, corrected or {}
    wrong = {name: d for name, d in diagnoses.items() if d.status == "mismatch"}
    uncorrected = {name: d for name, d in wrong.items() if name not in corrected}
    findings = [] if report is None else list(report.findings)
    lasting = [f for f in findings if f.until is None]
    alarms = [f for f in lasting if f.matters]
    costly = None if gap is None or report is None else account.fault(gap)
    if costly is not None and any(f.acknowledged for f in lasting if f.row == gap.fault):
        costly = None
    # A certain fault with the line that undoes it comes first; without, what the account measured.
    certain = [f for f in alarms if f.is_certain and (f.fix or costly is None)]
    questions = [f for f in lasting if f.is_question and not f.acknowledged]
    over = [f for f in findings if f.matters and f.until is not None]
    is_own = any(d.trained_here for d in diagnoses.values())  # a network learns what it is fed
    doubted = {n: d for n, d in diagnoses.items() if d.status == "unknown" and d.expected.is_known}
    answer = None if adaptation is None else adaptation.get("answer") or "unknown"
    saw_target = bool(adaptation and adaptation.get("saw_target"))
    has_layers = any(hint.name == "layers" for d in diagnoses.values() for hint in d.hints)
    # What was found, or None, in the order of urgency.
    found = next(
        dict(each)
        for each in (
            preprocessing.mismatch(uncorrected, guard is not None) if uncorrected else None,
            facts.NAN_LOSS if diverged else None,
            difference.shift(certain, findings, guard) if certain else None,
            _since(costly, gap, lasting),
            difference.shift(alarms, findings, guard) if alarms else None,
            facts.NAN_VALIDATION if nan_validation else None,
            adapted(answer) if answer == "no" else None,
            preprocessing.corrected(wrong, corrected, late) if wrong and corrected else None,
            None if gap is None else account.sure_rest(gap),
            difference.shift(questions, findings, guard) if questions else None,
            preprocessing.doubt(doubted) if doubted and not is_own else None,
            preprocessing.OWN_LAYERS if has_layers else None,
            facts.LEAK if leaks else None,
            difference.past(over) if over else None,
            adapted(answer, saw_target) if answer is not None else None,
            None if gap is None else account.where_from(gap),
            nothing.quiet(report, diagnoses, is_partial=bool(not_compared)),
        )
        if each is not None
    )
    if adaptation is not None:
        is_about_it = found["about"] == ABOUT_ADAPTATION
        found["adaptation"] = adaptation.get("after") or ("" if is_about_it else NOT_KNOWN)
        if found["streams"][:1] == ("target",) and "augmentation" in (guard or {}).get("adapt", ""):
            found["step"] = adapted(answer, saw_target)["step"]
    # A second fault, which the first may hide.
    others = difference.also(found, alarms, uncorrected) if uncorrected or alarms else []
    if gap is not None and found["state"] == "act":
        rows = [row.cause for row in gap.rows if row.is_fault and row.points > 0]
        others = [
            f"{each}."
            for each in rows
            if f"{each[:1].upper()}{each[1:]}"[:40] not in found["cause"]
        ]
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


def _since(found: dict[str, Any] | None, gap: Any, lasting: Sequence[Any]) -> dict[str, Any] | None:
    """Returns a verdict on a row with the first epoch of the findings that it undoes."""
    if found is None:
        return None
    epochs = [f.since for f in lasting if f.row == gap.fault and f.since is not None]
    return {**found, "since": min(epochs, default=None)}


def verdict_on_gap(gap: Any) -> Verdict:
    """Returns the verdict on an account alone, without a run."""
    found = account.fault(gap) or account.sure_rest(gap) or account.where_from(gap)
    if found is None:
        found = account.within_chance(gap)
    return Verdict(**found)
