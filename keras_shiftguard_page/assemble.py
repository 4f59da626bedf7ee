"""Assembles a page: the stored verdict, and the sections of all parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_shiftguard_page.content import FINE, LOOK, STATES, Band, Fact, Section
from keras_shiftguard_page.epochs import about_epochs
from keras_shiftguard_page.estimate import about_estimate
from keras_shiftguard_page.gap import about_gap
from keras_shiftguard_page.pictures import about_pictures
from keras_shiftguard_page.preprocessing import about_preprocessing
from keras_shiftguard_page.shift import about_shift
from keras_shiftguard_page.words import sentence
from tensorboard_plugin_shiftguard.story import NO_VERDICT
from tensorboard_plugin_shiftguard.story_adaptation import adaptation_answer
from tensorboard_plugin_shiftguard.words import in_plain_words

MAX_EVENTS = 30


class MalformedData(ValueError):
    """The data of a page does not have the form that the library writes."""


@dataclass(frozen=True)
class Content:
    """The content of a page.

    Args:
        title: The name of the run; without a run, a heading such as "Preprocessing".
        aside: When the data was written, and after how many epochs.
        band: The verdict.
        others: The verdicts of the other parts, except those whose state is `"fine"`.
        sections: The sections.
    """

    title: str
    aside: str
    band: Band
    others: list[Band]
    sections: list[Section]


def assemble(parts: Mapping[str, Any], folder: Path | None = None) -> Content:
    """Returns the content of a page.

    Args:
        parts: The data; see the docstring of the package.
        folder: The log directory that pictures are read from; None shows no pictures.

    Raises:
        MalformedData: If the data does not have the form that the library writes.
    """
    try:
        return _assemble(parts, folder)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise MalformedData(f"The data of the page is not as expected: {error!r}") from error


def _assemble(parts: Mapping[str, Any], folder: Path | None) -> Content:
    others = [about_gap(parts["gap"])] if parts.get("gap") is not None else []
    others += [about_estimate(parts["estimate"])] if parts.get("estimate") is not None else []
    bands = [part.band for part in others]
    is_run = bool(parts.get("diagnosis")) or parts.get("report") is not None
    if parts.get("verdict"):
        bands.insert(0, _band(parts["verdict"]))
    elif is_run:  # of version 0.2 or earlier
        bands.insert(0, Band(LOOK, NO_VERDICT))
    bands.sort(key=lambda band: STATES.index(band.state))
    band, *more = bands or [Band(LOOK, "Nothing has been judged yet.")]
    sections = about_epochs(parts["epochs"], parts.get("report")) if parts.get("epochs") else []
    if parts.get("pictures"):
        sections += about_pictures(parts["pictures"], folder)
    # Below the curves and pictures of the fit, the section of the verdict comes first.
    about = (parts.get("verdict") or {}).get("about") or [""]
    found = [about_shift(parts["report"])] if parts.get("report") is not None else []
    found += [about_preprocessing(parts["diagnosis"])] if parts.get("diagnosis") else []
    found = found[::-1] if about[0] == "preprocessing" else found
    sections += [section for part in found for section in part]
    sections += [section for part in others for section in part.sections]
    if parts.get("adaptation"):
        adapted = _adapted(parts["adaptation"], parts)
        cause = band.headline if about[0] == "covariate" else ""
        sections.append(_adaptation(adapted, parts["adaptation"], cause))
    return Content(
        str(parts.get("title") or "Shift"),
        str(parts.get("written") or ""),
        band,
        [other for other in more if other.state != FINE],
        sections,
    )


def _band(verdict: Mapping[str, Any]) -> Band:
    """Returns a verdict, word for word as `str(verdict)` has it."""
    since, words = verdict["since"], verdict["cost_words"]
    facts = [Fact(words, "what it costs")] if words else []
    facts += [] if since is None else [Fact(f"since epoch {since}", "when it was found")]
    step, is_code = verdict["step"], verdict["is_code"]
    return Band(
        verdict["state"] if verdict["state"] in STATES else LOOK,
        verdict["cause"],
        tuple(facts),
        "Do this:" if is_code else step,
        step if is_code else "",
        " ".join(text for text in (verdict["detail"], verdict["adaptation"]) if text),
        tuple(verdict["notes"]),
    )


def _adapted(adaptation: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the state of an adaptation as `adaptation_answer` takes it."""
    return {
        "adapts": True,
        "adapts_since": adaptation.get("since"),
        "worth": adaptation,
        "num_samples": (parts.get("report") or {}).get("num_samples") or {},
    }


def _adaptation(state: Mapping[str, Any], adaptation: Mapping[str, Any], cause: str) -> Section:
    answer = adaptation_answer(state, cause)
    codes: tuple[tuple[str, str], ...] = ()
    answered = []
    if answer is not None:
        figures = [f"{figure} {meaning}".strip() for figure, meaning in answer["facts"]]
        answered = [answer["lead"], f"{answer['word']}: {answer['what']}", "; ".join(figures)]
        if answer["code"]:
            codes = ((answer["todo"], answer["code"]),)
        else:
            answered.append(answer["todo"])
    texts = [*answered, adaptation.get("before"), adaptation["headline"]]
    texts += adaptation["events"][-MAX_EVENTS:]
    return Section(
        "Did the adaptation help?",
        answer["word"] if answer else "",
        sentences=tuple(sentence(in_plain_words(text)) for text in texts if text),
        codes=codes,
    )
