"""Assembles a page: the worst verdict of its parts, and the sections of all parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_shiftguard_page.content import ACT, FINE, LOOK, STATES, Band, Part, Section
from keras_shiftguard_page.epochs import about_epochs
from keras_shiftguard_page.estimate import about_estimate
from keras_shiftguard_page.gap import about_gap
from keras_shiftguard_page.pictures import about_pictures
from keras_shiftguard_page.preprocessing import about_preprocessing
from keras_shiftguard_page.shift import about_shift
from keras_shiftguard_page.words import sentence
from tensorboard_plugin_shiftguard.story_adaptation import adaptation_answer
from tensorboard_plugin_shiftguard.words import in_plain_words

MAX_EVENTS = 30


class MalformedData(ValueError):
    """The data of a page does not have the form that the library writes."""


@dataclass(frozen=True)
class Content:
    """The content of a page.

    Args:
        title: The name of the run, or of the judged object.
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
    found: list[Part] = []
    cause = ""  # of an adaptation
    adapted = _adapted(parts["adaptation"], parts) if parts.get("adaptation") else None
    if parts.get("diagnosis"):
        found.append(about_preprocessing(parts["diagnosis"], parts.get("corrected") or ()))
    if parts.get("report") is not None:
        last = next(reversed((parts.get("epochs") or {}).get("numbers") or []), None)
        shift = about_shift(parts["report"], adapted, last)
        cause = shift.band.headline if shift.band.state in (ACT, LOOK) else ""
        found.append(shift)
    if parts.get("gap") is not None:
        found.append(about_gap(parts["gap"]))
    if parts.get("estimate") is not None:
        found.append(about_estimate(parts["estimate"]))
    # If all verdicts are fine, the last one is shown, because it says more than the first one, on
    # the preprocessing.
    bands = [part.band for part in found]
    if all(band.state == FINE for band in bands):
        bands.reverse()
    bands.sort(key=lambda band: STATES.index(band.state))
    band, *others = bands or [Band(LOOK, "Nothing has been judged yet.")]
    sections = about_epochs(parts["epochs"], parts.get("report")) if parts.get("epochs") else []
    if parts.get("pictures"):
        sections += about_pictures(parts["pictures"], folder)
    # Below the curves and pictures of the fit, the most urgent sections come first.
    found.sort(key=lambda part: STATES.index(part.band.state))
    sections += [section for part in found for section in part.sections]
    if adapted:
        sections.append(_adaptation(adapted, parts["adaptation"], cause))
    return Content(
        str(parts.get("title") or "Shift"),
        str(parts.get("written") or ""),
        band,
        [other for other in others if other.state != FINE],
        sections,
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
