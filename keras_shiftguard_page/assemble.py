"""Assembles a page: the stored verdict, and the sections of all parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_shiftguard_page.content import LOOK, STATES, Band, Fact, Section
from keras_shiftguard_page.epochs import about_epochs
from keras_shiftguard_page.estimate import about_estimate
from keras_shiftguard_page.gap import about_gap
from keras_shiftguard_page.pictures import about_pictures
from keras_shiftguard_page.preprocessing import about_preprocessing
from keras_shiftguard_page.shift import about_shift
from keras_shiftguard_page.words import sentence
from tensorboard_plugin_shiftguard.verdict import NO_VERDICT
from tensorboard_plugin_shiftguard.words import in_plain_words


class MalformedData(ValueError):
    """The data of a page does not have the form that the library writes."""


@dataclass(frozen=True)
class Content:
    """The content of a page."""

    title: str  # the name of the run; without a run, a heading such as "Preprocessing"
    aside: str  # when the data was written, and after how many epochs
    band: Band
    sections: list[Section]
    log_dir: str = ""  # "" without a run


def assemble(parts: Mapping[str, Any], folder: Path | None = None) -> Content:
    """Returns the content of a page, with pictures from `folder`, if given.

    Raises:
        MalformedData: If the data does not have the form that the library writes.
    """
    try:
        return _assemble(parts, folder)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise MalformedData(f"The data of the page is not as expected: {error!r}") from error


def _assemble(parts: Mapping[str, Any], folder: Path | None) -> Content:
    told, report = parts.get("verdict"), parts.get("report")
    is_older = any(parts.get(name) for name in ("report", "diagnosis", "gap"))
    blank = Band(LOOK, NO_VERDICT if is_older else "Nothing has been judged yet.")
    band = _band(told) if told else blank
    estimated: list[Section] = []
    if parts.get("estimate") is not None:
        of_estimate, section = about_estimate(parts["estimate"])
        estimated, band = [section], band if told else of_estimate
    sections = (
        about_epochs(parts["epochs"], report, parts.get("columns")) if parts.get("epochs") else []
    )
    if parts.get("pictures"):
        sections += about_pictures(parts["pictures"], folder)
    # Below the curves and pictures of the fit, the section of the verdict comes first.
    found = [about_shift(report, band.notes)] if report is not None else []
    found += [about_preprocessing(parts["diagnosis"])] if parts.get("diagnosis") else []
    about = (told or {}).get("about") or [""]
    found = found[::-1] if about[0] == "preprocessing" else found
    found += [about_gap(parts["gap"])] if parts.get("gap") is not None else []
    sections += [section for part in [*found, estimated] for section in part]
    if parts.get("adaptation"):
        sections.append(_adaptation(parts["adaptation"], band))
    title, aside = str(parts.get("title") or "Shift"), str(parts.get("written") or "")
    return Content(title, aside, band, sections, str(parts.get("log_dir") or ""))


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
        "" if is_code else step,
        step if is_code else "",
        " ".join(text for text in (verdict["detail"], verdict["adaptation"]) if text),
        tuple(verdict["notes"]),
    )


def _adaptation(adaptation: Mapping[str, Any], band: Band) -> Section:
    texts = [adaptation.get("before"), adaptation["headline"], *adaptation["events"]]
    after = adaptation.get("after") or ""
    texts = [*([] if after in band.because else [after]), *texts]
    sentences = tuple(sentence(in_plain_words(text)) for text in texts if text)
    return Section("Adaptation", sentences=sentences)
