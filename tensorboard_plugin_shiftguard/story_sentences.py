"""The headline on the findings of a run, and a short form of it for the list of runs."""

import re
from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH
from tensorboard_plugin_shiftguard.words import listed, stream_name

MAX_PREDICATES = 3  # in the headline

_ARE = re.compile(r"(?P<subject>[^:]+?) are (?P<what>[^:]+): ")
_VARY = re.compile(r"(?P<subject>[^:]+?) (?P<what>vary (?:more|less) in [^:]+): ")
_CLASS = re.compile(r"class (\d+) ([\d.e-]+) %(?: \([^)]*\))? against ([\d.e-]+) %")


def headline(told: list[Mapping[str, Any]], pair: tuple[str, str]) -> tuple[str, str]:
    """Returns the headline on the findings of a pair, and a short form of it."""
    lead = told[0]
    text = lead["explanation"] or f"{lead['feature'] or 'something'} differs"
    if lead["kind"] == "label" and (found := _classes(text)):
        more, fewer = found
        word, classes = ("more", more) if more else ("fewer", fewer)
        noun = "class" if len(classes) == 1 else "classes"
        short = f"{word} of {noun} {listed(classes)}"
        here, there = (stream_name(name) for name in pair)
        return f"{capital(here)} has {short} than {there}.", short
    matches = [_ARE.match(f["explanation"] or "") for f in told]
    same = [m for m in matches if m and matches[0] and m["subject"] == matches[0]["subject"]]
    if matches[0]:
        words = list(dict.fromkeys(m["what"] for m in same))[:MAX_PREDICATES]
        return f"{same[0]['subject']} are {listed(words)}{_than(same[0], pair)}.", ", ".join(words)
    if vary := _VARY.match(text):
        return f"{vary['subject']} {vary['what']}{_than(vary, pair)}.", vary["what"]
    whole = text.split(": ")[0] if lead["kind"] != "preprocessing" else text
    whole = re.split(r"(?<=[a-z\d]{2})[.;] (?=[A-Z\d])", whole)[0]
    return finished(whole), {"preprocessing": "other preprocessing"}.get(lead["kind"], "differs")


def _than(match: re.Match[str], pair: tuple[str, str]) -> str:
    """Returns the end of a comparison, such as " than training images"."""
    against = stream_name(pair[1])
    noun = match["subject"].rpartition(" ")[2]
    if pair[1] == FIRST_EPOCH:
        return f" than in {against}"
    return f" than {against} {noun}" if noun in ("images", "samples") else f" than in {against}"


def _classes(text: str) -> tuple[list[str], list[str]] | None:
    """Returns the classes that became more frequent, and those that became rarer."""
    found = [(name, float(now) - float(before)) for name, now, before in _CLASS.findall(text)]
    if not found:
        return None
    return [name for name, change in found if change > 0], [n for n, change in found if change < 0]


def capital(text: str) -> str:
    """Returns a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def finished(text: str) -> str:
    """Returns a text that ends with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
