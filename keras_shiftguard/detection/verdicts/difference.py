"""A verdict on a difference between two streams, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.verdicts.adaptation import LABEL
from keras_shiftguard.detection.verdicts.parts import (
    ACT,
    LOOK,
    MAX_WORDS,
    NOT_MEASURED,
    brief,
    facts_of,
    parts_of,
)
from keras_shiftguard.detection.words.plain_words import difference, sentence_of
from keras_shiftguard.detection.words.sentences import MAX_NAMED, stream_name
from keras_shiftguard.io.code_lines import renamed
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH
from tensorboard_plugin_shiftguard.words import CAN_BE_AUGMENTED, listed

MEANT_MIX = "if the other class mix is meant, ShiftGuard().acknowledge('labels') accepts it."
VOCABULARY = "Check that both were given to one vectorizer, with the vocabulary of training."
NOT_MEASURABLE = "cost not known: no experiment could measure it"
LOOK_AT_SAMPLES = "Look at such samples: is the label wrong, or what the model is fed with it?"
STRATIFY = (
    "x_train, x_val, y_train, y_val = sklearn.model_selection.train_test_split(x, y, stratify=y)"
)


def shift(
    found: Sequence[Finding], every: Sequence[Finding], guard: Mapping[str, str] | None
) -> dict[str, Any]:
    """Returns the parts of a verdict on a difference: preprocessing first, then the costliest."""
    lead, *_ = ranked = sorted(found, key=_urgency)
    alike = [f for f in ranked if (f.stream, f.against) == (lead.stream, lead.against)]
    is_sure = not lead.is_question and (lead.cost is not None or lead.kind == "preprocessing")
    is_mix = is_sure and lead.kind == "label" and lead.feature == "labels"
    unknown = NOT_MEASURABLE if lead.is_question else NOT_MEASURED
    return parts_of(
        ACT if is_sure else LOOK,
        _joined(alike),
        since=min((f.since for f in alike if f.since is not None), default=None),
        step=_step(lead, every, guard),
        notes=(MEANT_MIX,) if is_mix else (),
        **facts_of(lead) | {"cost_words": lead.cost_words or unknown},
    )


def also(
    found: Mapping[str, Any], alarms: Sequence[Finding], wrong: Mapping[str, Any]
) -> list[str]:
    """Returns the cause of the costliest alarm that is another fault than a verdict's own.

    A fault moves many features, so only another kind of shift, or a difference that an experiment
    has won accuracy back from, counts as another one. `found` are the parts of the verdict. The
    preprocessing of the streams `wrong` is wrong, which makes them differ from the others.
    """
    about, streams = found["about"], found["streams"]
    is_input = about[:1] == ("preprocessing",)

    def is_other(alarm: Finding) -> bool:
        if alarm.against == FIRST_EPOCH:
            return False
        if is_input:
            follows = (alarm.stream in wrong) != (alarm.against in wrong)
            return alarm.kind == "label" or (alarm.kind != "preprocessing" and not follows)
        if (alarm.stream, alarm.against) == streams:
            return alarm.kind != about[0] or alarm.cost is not None
        return (alarm.kind, alarm.family) != about and alarm.cost is not None

    named = found["cause"].rstrip(".")
    causes = [brief(_joined([alarm])) for alarm in sorted(alarms, key=_urgency) if is_other(alarm)]
    parts = {d.how for a in alarms if (a.stream, a.against) == streams and (d := difference(a))}
    said = [how for how in parts if how in named]
    return [c for c in causes if c not in named and not any(how in c for how in said)][:1]


def past(over: Sequence[Finding]) -> dict[str, Any]:
    """Returns the parts of a verdict on a difference that later epochs exclude."""
    lead = min(over, key=_urgency)
    until = lead.until or 0
    is_one = lead.since is None or lead.since >= until
    epochs = f"epoch {until}" if is_one else f"epochs {lead.since} to {until}"
    return parts_of(
        LOOK,
        f"{brief(sentence_of(lead), MAX_WORDS - 6)}, in {epochs} only.",
        step=f"Find out what changed in epoch {until + 1}; nothing differs any more.",
        **facts_of(lead),
    )


def _urgency(finding: Finding) -> tuple[bool, bool, float]:
    """Sorts findings: preprocessing first, then by cost; the report's order decides the rest.

    Another stream is compared first: it explains the accuracy on validation, an earlier epoch of
    the same stream does not.
    """
    is_own = finding.against == FIRST_EPOCH
    cost = 0.0 if finding.is_question else finding.cost or 0.0  # that of a question is not sure
    return finding.kind != "preprocessing", is_own, -cost


def _joined(findings: Sequence[Finding]) -> str:
    """Returns the first finding as a sentence, with the others that one sentence can name."""
    first = difference(findings[0])
    if first is None:
        return sentence_of(findings[0])
    parts = [p for f in findings if (p := difference(f)) and p._replace(how=first.how) == first]
    how = list(dict.fromkeys(part.how for part in parts))[:MAX_NAMED]
    return " ".join(first._replace(how=listed(how)))


def _step(lead: Finding, every: Sequence[Finding], guard: Mapping[str, str] | None) -> str:
    """Returns what to do about a difference: a line of Python, or a sentence."""
    is_validation = (lead.stream, lead.against) == ("validation", "train")
    if lead.kind == "label" and not lead.fix:
        if lead.feature != "labels":
            return "Compare how the numbers to predict were computed: unit, logarithm, scaling."
        if is_validation:
            return STRATIFY
        return "Check how both were sampled; if the new shares are right, acknowledge them."
    if lead.kind == "concept" and not lead.fix:
        return LOOK_AT_SAMPLES
    if lead.fix.endswith("."):
        return lead.fix
    if lead.fix and is_validation:
        finding = f"guard.report.findings[{list(every).index(lead)}]"
        return renamed(lead.fix, {"x": "x_val", "y": "y_val", "finding": finding})
    if lead.fix:
        return f"{lead.fix}  # x: a batch of {stream_name(lead.stream)}"
    if lead.kind == "preprocessing":
        return f"Find the step of the pipeline that only {stream_name(lead.stream)} goes through."
    is_worth = lead.cost is None or lead.cost > 0  # else undoing it gains nothing
    can_imitate = lead.family in CAN_BE_AUGMENTED and lead.kind == "covariate" and is_worth
    if can_imitate and guard is not None and lead.against == "train":
        if "augmentation" in guard.get("adapt", ""):
            return "Training is augmented towards it already."
        return guard_line({**guard, "adapt": "'augmentation'"})
    if can_imitate and lead.stream == "target" and guard is not None and "adapt" in guard:
        return LABEL
    if can_imitate:
        target = {} if lead.stream == "validation" else {"target_data": "current"}
        return guard_line({**target, "adapt": "'augmentation'"})
    if any((f.stream, f.feature[-7:]) == (lead.stream, "/tokens") for f in every):
        return VOCABULARY
    return "Compare how the two were collected and prepared."


def guard_line(arguments: Mapping[str, str]) -> str:
    """Returns the line of Python that makes a guard with these arguments, given as code.

    >>> guard_line({"log_dir": "'logs'", "adapt": "True"})
    "guard = sg.ShiftGuard(log_dir='logs', adapt=True)"
    """
    return f"guard = sg.ShiftGuard({', '.join(f'{k}={v}' for k, v in arguments.items())})"
