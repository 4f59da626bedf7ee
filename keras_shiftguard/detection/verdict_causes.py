"""The parts of a `Verdict` for each thing that it can be about: state, cause, cost, next step."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from keras_shiftguard.detection.code_lines import renamed
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.plain_words import difference, sentence_of
from keras_shiftguard.detection.report_words import TOO_FEW_TO_TELL, why_nothing
from keras_shiftguard.detection.sentences import MAX_NAMED, stream_name
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH, MODES_IN_WORDS, STATE_WORDS
from tensorboard_plugin_shiftguard.words import CAN_BE_AUGMENTED, in_plain_words, listed

ACT, LOOK, CORRECTED, FINE, NOTHING = STATES = tuple(STATE_WORDS)
MAX_WORDS = 20  # words of a cause. A convention.
NOTHING_TO_DO = "Nothing to do."
MEANT = "Validation differs because training is augmented, and the model does no worse on it."
ESTIMATE = "print(sg.estimate_accuracy(model, target, reference=(x_val, y_val)))"
LABEL = "Label some samples of the target, and evaluate on them."
MEANT_MIX = "if the other class mix is meant, ShiftGuard().acknowledge('labels') accepts it."
VOCABULARY = "Check that both were given to one vectorizer, with the vocabulary of training."
ABOUT_ADAPTATION = ("adaptation", "adaptation")
NOTHING_LOST = "Inside fit nothing is lost."
UNCORRECTED = "`model.predict` is not corrected until you run the line above."
NOT_MEASURED = "cost not measured"
NOT_MEASURABLE = "cost not known: no experiment could measure it"
LOOK_AT_SAMPLES = "Look at such samples: is the label wrong, or what the model is fed with it?"
STRATIFY = (
    "x_train, x_val, y_train, y_val = sklearn.model_selection.train_test_split(x, y, stratify=y)"
)
MORE = "Pass validation_data to fit, or ShiftGuard(reference=...), with 20 samples or more."
MORE_NOTES = "more, see guard.report.notes."
# Beginnings of the notes that say what would make a comparison possible.
LONELY_NOTES = ("there is nothing to compare", "an evaluation alone", "a prediction alone")
_IN_BRACKETS = re.compile(r" \([^()]*\)")
_MISFITS = re.compile(r" \((?:probability|misfit) [^()]*\)")
_MODE = re.compile(rf"\b({'|'.join(MODES_IN_WORDS)}) \([^()]*\)")


def mismatch(wrong: Mapping[str, Any], in_run: bool) -> dict[str, Any]:
    """Returns the parts of a verdict on wrong preprocessing that nothing corrects."""
    diagnosis = _worst_input(next(iter(wrong.values())))
    fed, expected = diagnosis.observed, diagnosis.expected
    is_swapped = {fed.channel_order, expected.channel_order} == {"rgb", "bgr"}
    images = _images(wrong)
    if diagnosis.garbled:
        cause = f"{images} are fed as {diagnosis.garbled}."
    elif is_swapped and fed.mode == expected.mode:
        cause = f"{images} have red and blue swapped."
    elif {fed.mode, expected.mode} <= set(MODES_IN_WORDS) and fed.mode != expected.mode:
        swapped = " (red and blue swapped)" if is_swapped else ""
        words = MODES_IN_WORDS[fed.mode], MODES_IN_WORDS[expected.mode]
        cause = f"{images} are fed as {words[0]}{swapped}; the model expects {words[1]}."
    else:
        cause = _capital(diagnosis.problem)
    return _parts(
        ACT,
        cause,
        since=1 if in_run else None,
        step=diagnosis.advice or _capital(diagnosis.needed),
        cost_words=NOT_MEASURED if in_run else "",
        detail=_plainly(next(iter(diagnosis.evidence), "")),
        about=("preprocessing", "preprocessing"),
    )


def corrected(
    wrong: Mapping[str, Any], corrected: Mapping[str, int], late: int = 0
) -> dict[str, Any]:
    """Returns the parts of a verdict on wrong preprocessing that is corrected inside the fit.

    Args:
        wrong: Diagnoses by stream.
        corrected: First corrected epoch by stream.
        late: Number of batches of an evaluation or a prediction that ran before the correction.
    """
    diagnosis = _worst_input(next(iter(wrong.values())))
    fed, expected = (MODES_IN_WORDS.get(c.mode) for c in (diagnosis.observed, diagnosis.expected))
    what = f"{_images(wrong)} are not prepared as the model expects"
    if fed and expected and fed != expected:
        what = f"{_images(wrong)} are fed as {fed}, the model expects {expected}"
    first = "The first batch" if late == 1 else f"The first {late} batches"
    return _parts(
        CORRECTED,
        f"{what}; the guard corrects it{'' if late else ' inside fit'}.",
        since=min(corrected.values()),
        step="model = guard.diagnosis.apply(model)",
        detail="" if late else NOTHING_LOST,
        notes=(f"{first} ran uncorrected: run the line above, and repeat.",)
        if late
        else (UNCORRECTED,),
        about=("preprocessing", "preprocessing"),
    )


def doubt(doubted: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of a verdict on preprocessing that may be wrong."""
    diagnosis = _worst_input(next(iter(doubted.values())))
    return _parts(
        LOOK,
        _capital(diagnosis.problem),
        step=_capital(diagnosis.needed),
        detail=_plainly(next(iter(diagnosis.evidence), "")),
        about=("preprocessing", "preprocessing"),
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
    return _parts(
        ACT if is_sure else LOOK,
        _joined(alike),
        since=min((f.since for f in alike if f.since is not None), default=None),
        step=_step(lead, every, guard),
        notes=(MEANT_MIX,) if is_mix else (),
        **_facts_of(lead) | {"cost_words": lead.cost_words or unknown},
    )


def also(
    found: Mapping[str, Any], alarms: Sequence[Finding], wrong: Mapping[str, Any]
) -> list[str]:
    """Returns the cause of the costliest alarm that is another fault than a verdict's own.

    A fault moves many features, so only another kind of shift, or a difference that an experiment
    has won accuracy back from, counts as another one.

    Args:
        found: The parts of the verdict.
        alarms: All alarms.
        wrong: The streams whose preprocessing is wrong; it makes them differ from the others.
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
    causes = [_brief(_joined([alarm])) for alarm in sorted(alarms, key=_urgency) if is_other(alarm)]
    parts = {d.how for a in alarms if (a.stream, a.against) == streams and (d := difference(a))}
    said = [how for how in parts if how in named]
    return [c for c in causes if c not in named and not any(how in c for how in said)][:1]


def past(over: Sequence[Finding]) -> dict[str, Any]:
    """Returns the parts of a verdict on a difference that later epochs exclude."""
    lead = min(over, key=_urgency)
    until = lead.until or 0
    is_one = lead.since is None or lead.since >= until
    epochs = f"epoch {until}" if is_one else f"epochs {lead.since} to {until}"
    return _parts(
        LOOK,
        f"{_brief(sentence_of(lead), MAX_WORDS - 6)}, in {epochs} only.",
        step=f"Find out what changed in epoch {until + 1}; nothing differs any more.",
        **_facts_of(lead),
    )


def adaptation(answer: str | None, saw_target: bool = False) -> dict[str, Any]:
    """Returns the parts of a verdict on a run in which only the adaptation has to be judged."""
    if answer == "yes":
        cause = "Adaptation raised the estimated accuracy on the target."
        return _parts(FINE, cause, about=ABOUT_ADAPTATION)
    if answer == "no":
        cause = "Adaptation lowered the estimated accuracy on the target."
        return _parts(ACT, cause, step="Fit again without adaptation.", about=ABOUT_ADAPTATION)
    cause = "What adaptation gained on the target is not known."
    if answer == "same":
        cause = "The estimate cannot tell whether adaptation helped on the target."
    step = LABEL if saw_target or answer == "same" else ESTIMATE
    return _parts(LOOK, cause, step=step, about=ABOUT_ADAPTATION)


def quiet(report: Any, diagnoses: Mapping[str, Any], is_partial: bool = False) -> dict[str, Any]:
    """Returns the parts of a verdict on a run in which nothing has to be done.

    Args:
        report: A `ShiftReport`; None if streams were not compared.
        diagnoses: The `Diagnosis` of each stream.
        is_partial: Whether a part of the data is not measured.
    """
    images = ""
    if diagnoses and all(d.status == "ok" or d.trained_here for d in diagnoses.values()):
        images = "the images are prepared as the model expects"
        first = next(iter(diagnoses.values()))
        if first.trained_here:
            fed = MODES_IN_WORDS.get(first.observed.mode)
            images = f"this fit trains the model on images from {fed}" if fed else ""
    is_blind = any(map(_is_blind, diagnoses.values())) and not images
    if is_blind:
        images = "whether the images are prepared right could not be judged"
    sizes = {} if report is None else {**(report.num_samples or {})}
    names = [name for name in sizes if name != FIRST_EPOCH]
    why = "" if report is None else why_nothing(report.notes, sizes)
    if len(names) < 2 or why:
        is_right = any(d.status == "ok" and not d.trained_here for d in diagnoses.values())
        if images and is_right and not is_blind:
            return _parts(FINE, f"T{images[1:]}; nothing else was compared.")
        if why == TOO_FEW_TO_TELL:
            why = f"there are {why}"
        elif len(names) < 2:
            why = "there was nothing to compare with"
        what = f"{stream_name(names[0]).capitalize()} was seen, but " if len(names) == 1 else ""
        return _parts(NOTHING, f"{what}{why if what else _capital(why)}.", step=_company(report))
    harmless = [f for f in report.findings if f.harmless and f.until is None]
    if harmless:
        lead = max(harmless, key=lambda f: f.cost or 0.0)
        return _parts(
            FINE,
            f"{_brief(sentence_of(lead), MAX_WORDS - 4)}; the cost is within tolerance.",
            since=lead.since,
            **_facts_of(lead),
        )
    if any(finding.is_meant and finding.until is None for finding in report.findings):
        return _parts(FINE, MEANT)
    base = "train" if "train" in names else "reference"
    others = [name for name in names if name != base] if base in names else names[:1]
    if base == "train" and len(others) > 1:
        others = [name for name in others if name != "reference"]
    who = listed([stream_name(name) for name in others])
    verb = "look" if len(others) > 1 else "looks"
    whom = {"train": "training", "reference": "the reference"}.get(base, names[-1])
    alike = f"{'in what is measured, ' if is_partial else ''}{who} {verb} like {whom}"
    return _parts(FINE, f"{_capital(alike)}{images and f'; {images}'}.")


def _facts_of(lead: Finding) -> dict[str, Any]:
    """Returns what a verdict takes from the finding that it is about."""
    return {
        "cost": lead.cost,
        "cost_interval": lead.cost_interval,
        "metric": lead.metric,
        "cost_words": lead.cost_words,
        "detail": in_plain_words(f"{lead.said.plain if lead.said else lead.explanation}."),
        "about": (lead.kind, lead.family),
        "streams": (lead.stream, lead.against),
    }


def _parts(state: str, cause: str, **others: Any) -> dict[str, Any]:
    cause = f"{_brief(cause)}."
    blank = {"step": NOTHING_TO_DO, "streams": (), "about": ()}
    return {**blank, "state": state, "cause": cause, **others}


def _company(report: Any) -> str:
    """Returns what makes a comparison possible, as a sentence."""
    notes = () if report is None else report.notes
    lonely = [note for note in notes if note.startswith(LONELY_NOTES)]
    return f"{_capital(lonely[0].rstrip('.'))}." if lonely else MORE


def notes_of(
    report: Any, diagnoses: Mapping[str, Any], found: Mapping[str, Any]
) -> tuple[str, ...]:
    """Returns what could not be measured or compared, with what would change that.

    A note that says what the cause or the step says already is left out.
    """
    notes = () if report is None else report.notes
    texts = [f"{note.rstrip('.')}." for note in notes]
    told = tuple(str(found[key]).lower().rstrip(".") for key in ("cause", "step"))
    texts = [text for text in texts if not text.lower().startswith(told)]
    is_trained_here = any(d.trained_here for d in diagnoses.values())
    for diagnosis in () if is_trained_here else diagnoses.values():
        if _is_blind(diagnosis):
            way_out = _capital(diagnosis.needed)
            texts.append(f"preprocessing was not judged: {diagnosis.problem} {way_out}")
    texts = list(dict.fromkeys(texts))
    return (*texts[:MAX_NAMED], *([MORE_NOTES] if len(texts) > MAX_NAMED else []))


def _is_blind(diagnosis: Any) -> bool:
    """Whether images were seen, but nothing tells what the model expects."""
    is_unknown = diagnosis.status == "unknown" and not diagnosis.expected.is_known
    return is_unknown and bool(diagnosis.num_samples)


def _capital(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"


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
    if lead.repaired_by is not None and guard is not None and is_validation:
        return f"x_val = guard.report.findings[{list(every).index(lead)}].repair(x_val)"
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


def _plainly(evidence: str) -> str:
    """Returns a sentence of a diagnosis with the range of the values in place of a mode's name.

    >>> _plainly("tf ([-1, 1]) fits best (misfit 0.11, as fed 0.53; 16 images).")
    '-1 to 1 fits best.'
    """
    return _MODE.sub(lambda found: MODES_IN_WORDS[found[1]], _MISFITS.sub("", evidence))


def _images(diagnoses: Mapping[str, Any]) -> str:
    """Returns the images of streams as the beginning of a sentence."""
    names = [stream_name(name) for name in diagnoses if name]
    return f"{listed(names)} images".lstrip().capitalize() if len(names) == 1 else "Images"


def _worst_input(diagnosis: Any) -> Any:
    parts = [each for each in diagnosis.by_input.values() if each.status == diagnosis.status]
    return parts[0] if parts else diagnosis


def _brief(sentence: str, limit: int = MAX_WORDS) -> str:
    """Returns a sentence without its full stop, cut at a clause if it has more words than that."""
    words = sentence.strip().rstrip(".").split()
    if len(words) > limit:  # ranges and other numbers in brackets can be left out first
        words = _IN_BRACKETS.sub("", " ".join(words)).split()
    if len(words) <= limit:
        return " ".join(words)
    for number in range(limit, 5, -1):
        if words[number - 1][-1] in ",;:":
            return " ".join(words[:number]).rstrip(",;:")
    return " ".join(words[:limit]) + " \N{HORIZONTAL ELLIPSIS}"


# Parts of verdicts that are always the same.
OWN_LAYERS = _parts(
    LOOK,
    "The model's own layers are made for another input than it is fed.",
    step="print(guard.diagnosis)",
    about=("preprocessing", "preprocessing"),
)
NAN_LOSS = _parts(
    ACT,
    "The loss of training is not a number, so the model learns nothing.",
    step="Look for missing values with np.isfinite(x); if there are none, lower the learning rate.",
    about=("training", "training"),
)
LEAK = _parts(
    LOOK,
    "Samples of validation stand in training as well, so accuracy on validation is too high.",
    step="Split the data before samples are copied, and keep each one in a single part.",
    streams=("validation", "train"),
)
UNRELATED = _parts(
    LOOK,
    "The labels and the inputs of validation do not seem to belong together.",
    step="Check whether both are in the same order, and what each label stands for.",
    streams=("validation", "train"),
)
