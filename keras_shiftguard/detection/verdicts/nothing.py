"""A verdict on a run in which nothing has to be done, and the notes on what was not compared."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard.detection.verdicts.parts import (
    FINE,
    MAX_WORDS,
    NOTHING,
    brief,
    capital,
    facts_of,
    parts_of,
)
from keras_shiftguard.detection.words.plain_words import sentence_of
from keras_shiftguard.detection.words.report_words import TOO_FEW_TO_TELL, why_nothing
from keras_shiftguard.detection.words.sentences import MAX_NAMED, stream_name
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH, MODES_IN_WORDS
from tensorboard_plugin_shiftguard.words import listed

MORE = "Pass validation_data to fit, or ShiftGuard(reference=...), with 20 samples or more."
MORE_NOTES = "more, see guard.report.notes."
# Beginnings of the notes that say what would make a comparison possible.
LONELY_NOTES = ("there is nothing to compare", "an evaluation alone", "a prediction alone")


def quiet(report: Any, diagnoses: Mapping[str, Any], is_partial: bool = False) -> dict[str, Any]:
    """Returns the parts of a verdict on a run in which nothing has to be done.

    `is_partial` tells whether a part of the data is not measured.
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
        alone = diagnoses.get("")  # outside of a run, a diagnosis is the whole result
        if alone is not None and alone.status == "unknown":
            return parts_of(NOTHING, capital(alone.problem), step=capital(alone.needed))
        if alone is not None:
            images = images or alone.problem.rstrip(".")
        is_right = any(d.status == "ok" and not d.trained_here for d in diagnoses.values())
        if images and (is_right or alone is not None) and not is_blind:
            return parts_of(FINE, f"T{images[1:]}; nothing else was compared.")
        if why == TOO_FEW_TO_TELL:
            why = f"there are {why}"
        elif len(names) < 2:
            why = "there was nothing to compare with"
        what = f"{stream_name(names[0]).capitalize()} was seen, but " if len(names) == 1 else ""
        return parts_of(NOTHING, f"{what}{why if what else capital(why)}.", step=_company(report))
    harmless = [f for f in report.findings if f.harmless and f.until is None]
    if harmless:
        lead = max(harmless, key=lambda f: f.cost or 0.0)
        return parts_of(
            FINE,
            f"{brief(sentence_of(lead), MAX_WORDS - 4)}; the cost is within tolerance.",
            since=lead.since,
            **facts_of(lead),
        )
    base = "train" if "train" in names else "reference"
    others = [name for name in names if name != base] if base in names else names[:1]
    if base == "train" and len(others) > 1:
        others = [name for name in others if name != "reference"]
    who = listed([stream_name(name) for name in others])
    verb = "look" if len(others) > 1 else "looks"
    whom = {"train": "training", "reference": "the reference"}.get(base, names[-1])
    alike = f"{'in what is measured, ' if is_partial else ''}{who} {verb} like {whom}"
    return parts_of(FINE, f"{capital(alike)}{images and f'; {images}'}.")


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
        if _is_blind(diagnosis) and capital(diagnosis.problem) != found["cause"]:
            way_out = capital(diagnosis.needed)
            texts.append(f"preprocessing was not judged: {diagnosis.problem} {way_out}")
    texts = list(dict.fromkeys(texts))
    return (*texts[:MAX_NAMED], *([MORE_NOTES] if len(texts) > MAX_NAMED else []))


def _company(report: Any) -> str:
    """Returns what makes a comparison possible, as a sentence."""
    notes = () if report is None else report.notes
    lonely = [note for note in notes if note.startswith(LONELY_NOTES)]
    return f"{capital(lonely[0].rstrip('.'))}." if lonely else MORE


def _is_blind(diagnosis: Any) -> bool:
    """Whether images were seen, but nothing tells what the model expects."""
    is_unknown = diagnosis.status == "unknown" and not diagnosis.expected.is_known
    return is_unknown and bool(diagnosis.num_samples)
