"""The page content for a `ShiftReport`."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard_page.content import ACT, FINE, LOOK, Band, Fact, Part, Section, table
from keras_shiftguard_page.words import (
    cost,
    interval,
    is_accuracy,
    number,
    p_value,
    points,
    sentence,
    stream,
    without_name,
)
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH
from tensorboard_plugin_shiftguard.story_adaptation import adaptation_answer, estimated_cost
from tensorboard_plugin_shiftguard.story_sentences import explained, headline
from tensorboard_plugin_shiftguard.story_shift import (
    COST_UNCLEAR,
    augmenting,
    changed_in,
    doubt,
    epochs_in_words,
    first_epoch,
    foremost,
    next_step,
    past_todo,
)
from tensorboard_plugin_shiftguard.words import CAN_BE_AUGMENTED, in_plain_words

MAX_FINDINGS = 60  # rows of the table
# Default values of fields that findings of older logs, or those of `compare`, may lack.
ABSENT: dict[str, Any] = {"sentence": None, "difference": None, "classes": [], "until": None}
UNDECIDED = ("nothing was compared", "nothing could be measured", "too few samples")


def about_shift(
    report: Mapping[str, Any], adapted: Mapping[str, Any] | None = None, last: int | None = None
) -> Part:
    """Returns the content for `ShiftReport.to_dict()`.

    Args:
        report: The report.
        adapted: The state of the adaptation, see `adaptation_answer`; None if there is none.
        last: The latest epoch; None outside of a fit.
    """
    findings = [{**ABSENT, **finding} for finding in report["findings"]]
    for finding in findings:
        older = (finding.get("plain") or "").partition(": ")[0]  # in older logs
        finding["sentence"] = finding["sentence"] or older
        finding["explanation"] = in_plain_words(finding["explanation"] or "")
    alarms = [finding for finding in findings if finding["matters"]]
    of = "" if last is None else f"of {last}"
    band = _alarm(alarms, report, adapted, of) if alarms else _quiet(findings, report, adapted, of)
    rows = [_row(finding) for finding in findings]
    columns = "What differs|Cause|Epochs|Cost in points|Effect size|p-value|Verdict"
    right = "Epochs|Cost in points|Effect size|p-value"
    tables = table(columns, rows, right, MAX_FINDINGS, report.get("more", 0))
    notes = tuple(sentence(note) for note in report["notes"][:MAX_FINDINGS])
    sections = []
    if tables:
        counted = {k: n for k, n in report["num_samples"].items() if k != FIRST_EPOCH}
        sizes = ", ".join(f"{stream(k)} {n:,}" for k, n in counted.items())
        sections.append(Section("Findings", sizes and f"samples: {sizes}", tables=tables))
    if notes:
        sections.append(Section("What could not be tested", sentences=notes))
    return Part(band, sections)


def _alarm(
    alarms: list[Any], report: Mapping[str, Any], adapted: Mapping[str, Any] | None, of: str
) -> Band:
    """Returns the band of a report with alarms: the sentence and the figures of the worst alarm.

    The worst alarm is chosen as in the Shift tab, and the sentences are the same.
    """
    lasting = [finding for finding in alarms if finding["until"] is None]
    worst, *_ = same = foremost(lasting or alarms)
    facts = []
    estimate = estimated_cost((adapted or {}).get("worth") or {})
    if worst["cost"] is not None:
        metric = worst.get("metric")
        what = "of accuracy" if is_accuracy(metric) else metric
        lost = " lost" if is_accuracy(metric) else ""
        note = f"{what}, {interval(worst['cost_interval'])}"
        facts.append(Fact(f"{cost(worst['cost'], metric)}{lost}", note))
    elif estimate and worst["stream"] == "target":
        facts.append(Fact(*estimate))
    else:
        size = f"{number(worst['effect_size'])} ({interval(worst['interval'], number)})"
        facts.append(Fact("cost unknown", f"not measured; the effect size is {size}"))
    # A cause that is found both against training and against the first epoch counts once.
    described = {(f["stream"], f["family"]) for f in alarms if f["against"] != FIRST_EPOCH}
    repeated = [f for f in alarms if f["against"] == FIRST_EPOCH]
    others = len(alarms) - 1 - sum((f["stream"], f["family"]) in described for f in repeated)
    more = f"{others} other finding{'s' * (others > 1)}, in the table below" if others else ""
    more = "; ".join(part for part in (of, more) if part)
    text, because = _said(same), sentence(explained(worst))
    since = first_epoch(same)
    if not lasting:
        until = max(finding["until"] for finding in same)
        when = epochs_in_words(since, until)
        facts.append(Fact(when.removeprefix("in "), more))
        return Band(LOOK, f"{text[:-1]}, {when}.", tuple(facts), past_todo(until), because=because)
    if since is not None:
        facts.append(Fact(f"differs since epoch {since}", more))
    facts.append(_certainty(report, since))
    urgent = worst["cost"] is not None or worst["kind"] == "preprocessing"
    advice = _advice(worst, adapted, changed_in(worst, alarms))
    return Band(ACT if urgent else LOOK, text, tuple(facts), *advice, because)


def _certainty(report: Mapping[str, Any], since: int | None) -> Fact:
    judged = "reports" if since is None else "fits"
    rate = f"false-alarm rate: at most 1 in {round(1 / report['alpha'])} {judged}"
    return Fact("beyond chance", rate)


def _said(findings: list[Any]) -> str:
    """Returns the headline of findings of one pair of streams, as a sentence."""
    first = findings[0]
    return sentence(headline(findings, (first["stream"], first["against"]))[0])


def _quiet(
    findings: list[Any], report: Mapping[str, Any], adapted: Mapping[str, Any] | None, of: str
) -> Band:
    """Returns the band of a report without alarms."""
    text = without_name(report["headline"], "ShiftGuard: ")
    if any(word in text.lower() for word in UNDECIDED):
        return Band(LOOK, text)
    lasting = [finding for finding in findings if finding["until"] is None]
    questions = [f for f in lasting if f["is_question"] or is_cost_unclear(f)]
    if not questions:
        return Band(FINE, text, advice="Nothing to do.")
    first = questions[0]
    since = first["since"]
    dates = [] if since is None else [Fact(f"differs since epoch {since}", of)]
    if is_cost_unclear(first):
        facts = (_unclear(first), *dates, _certainty(report, since))
        advice = _advice(first, adapted, changed_in(first, findings))
        text = f"{_said([first])[:-1]}; {COST_UNCLEAR}."
        return Band(LOOK, text, facts, *advice, doubt(first))
    facts = (Fact("cost not known", "augmentation or crops of training may explain it"), *dates)
    return Band(LOOK, _said([first]), facts, "Wait: if epochs follow, they show which.")


def is_cost_unclear(finding: Mapping[str, Any]) -> bool:
    """Whether the cost of a finding may be 0, and may be above the tolerance."""
    return not finding["matters"] and "unclear" in (finding["cost_words"] or "")


def _unclear(finding: Mapping[str, Any]) -> Fact:
    """Returns the ends of an unclear cost, without the part below 0, which would be a gain."""
    if finding["cost_interval"] is None:
        return Fact("cost unclear", "too few samples to measure it")
    low, high = finding["cost_interval"]
    least = points(low) if low > 0 else "0"
    metric = finding.get("metric")
    of = " of accuracy" if is_accuracy(metric) else ""
    return Fact("cost unclear", f"between {least} and {cost(high, metric)}{of}")


def _advice(
    finding: Mapping[str, Any], adapted: Mapping[str, Any] | None, changed: int | None
) -> tuple[str, str]:
    """Returns what to do about a finding, in words and as a line of Python.

    `changed` is the epoch in which the stream itself changed; None if it did not.
    """
    where, kind = finding["stream"], finding["kind"]
    if kind == "preprocessing":
        return (
            f"Find the step that only one of the two goes through; this checks {stream(where)}:",
            f"print(keras_shiftguard.diagnose(model, {_name(where)}_images))",
        )
    # The same steps as in the Shift tab.
    answer = adaptation_answer(adapted) if finding["family"] in CAN_BE_AUGMENTED else None
    if answer:
        return answer["todo"], answer["code"] or ""
    todo, code, _ = next_step(finding, changed)
    if todo and code:
        return todo, code
    if kind == "label":
        return (
            "Check how both were sampled. If the new class shares are right, acknowledge them:",
            f'guard.acknowledge("labels", "{_name(where)}")',
        )
    if kind == "concept":
        return "Look at images of the classes named, and at who labelled them.", ""
    if finding["family"] in CAN_BE_AUGMENTED:
        target = f"target_data={_name(where)}_images, "
        return augmenting(where, changed), f'guard = sg.ShiftGuard({target}adapt="augmentation")'
    return "Compare how the two were collected and prepared.", ""


def _name(name: str) -> str:
    """Returns the name of a stream for use in Python code; "current" if it is no identifier."""
    return name if name.isidentifier() and name.isascii() else "current"


def _row(finding: Mapping[str, Any]) -> tuple[str, ...]:
    lost = points(finding["cost"])
    if lost and not is_accuracy(finding.get("metric")):
        lost += " %"
    if lost and finding["cost_interval"]:
        lost += f" ({interval(finding['cost_interval'])})"
    size = f"{number(finding['effect_size'])} ({interval(finding['interval'], number)})"
    epochs = "" if finding["since"] is None else f"since {finding['since']}"
    if finding["until"] is not None:
        epochs = f"{finding['since']} to {finding['until']}"
    text = sentence(explained(finding))
    return text, finding["family"], epochs, lost, size, p_value(finding["p_value"]), _why(finding)


def _why(finding: Mapping[str, Any]) -> str:
    """Returns whether a finding is an alarm, and if not, why."""
    if finding["matters"]:
        return "alarm"
    if finding["acknowledged"]:
        return f"acknowledged: {finding['acknowledged']}"
    if finding["negligible"]:
        return "too small to matter"
    if finding["expected"]:
        return "expected: augmentation"
    if finding["cost_words"]:
        return str(finding["cost_words"])
    return "a question" if finding["is_question"] else "within tolerance"
