"""Puts the parts of a page together: the worst of their verdicts, and all of their sections."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_shiftguard_page.content import FINE, LOOK, STATES, Band, Part, Section
from keras_shiftguard_page.epochs import about_epochs
from keras_shiftguard_page.estimate import about_estimate
from keras_shiftguard_page.gap import about_gap
from keras_shiftguard_page.pictures import about_pictures
from keras_shiftguard_page.preprocessing import about_preprocessing
from keras_shiftguard_page.shift import about_shift
from keras_shiftguard_page.words import sentence

MAX_EVENTS = 30


class MalformedData(ValueError):
    """The data of a page is not what the library writes."""


@dataclass(frozen=True)
class Content:
    """All that a page says.

    Args:
        title: The name of the run, or of what was judged.
        aside: When it was written, and of how many epochs it is.
        band: The verdict.
        others: Verdicts of the other parts that ask for somebody, too.
        sections: The sections.
    """

    title: str
    aside: str
    band: Band
    others: list[Band]
    sections: list[Section]


def assemble(parts: Mapping[str, Any], folder: Path | None = None) -> Content:
    """Returns what the page of some data says.

    Args:
        parts: The data, see the package.
        folder: The log directory that pictures are read from; None shows none.

    Raises:
        MalformedData: If the data is not what the library writes.
    """
    try:
        return _assemble(parts, folder)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise MalformedData(f"The data of the page is not as expected: {error!r}") from error


def _assemble(parts: Mapping[str, Any], folder: Path | None) -> Content:
    found: list[Part] = []
    if parts.get("diagnosis"):
        found.append(about_preprocessing(parts["diagnosis"], parts.get("corrected") or ()))
    if parts.get("report") is not None:
        found.append(about_shift(parts["report"]))
    if parts.get("gap") is not None:
        found.append(about_gap(parts["gap"]))
    if parts.get("estimate") is not None:
        found.append(about_estimate(parts["estimate"]))
    bands = sorted((part.band for part in found), key=lambda band: STATES.index(band.state))
    band, *others = bands or [Band(LOOK, "Nothing has been judged yet.")]
    sections = about_epochs(parts["epochs"], parts.get("report")) if parts.get("epochs") else []
    if parts.get("pictures"):
        sections += about_pictures(parts["pictures"], folder)
    # What needs somebody comes first, under the curves of the fit.
    found.sort(key=lambda part: STATES.index(part.band.state))
    sections += [section for part in found for section in part.sections]
    if parts.get("adaptation"):
        sections.append(_adaptation(parts["adaptation"]))
    return Content(
        str(parts.get("title") or "Shift"),
        str(parts.get("written") or ""),
        band,
        [other for other in others if other.state != FINE],
        sections,
    )


def _adaptation(adaptation: Mapping[str, Any]) -> Section:
    events = [sentence(text) for text in adaptation["events"][-MAX_EVENTS:]]
    return Section("Adaptation", sentences=(sentence(adaptation["headline"]), *events))
