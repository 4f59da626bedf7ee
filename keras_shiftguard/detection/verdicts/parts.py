"""The parts that every verdict has, and how sentences become short enough for one."""

import re
from typing import Any

from keras_shiftguard.detection.finding import Finding
from tensorboard_plugin_shiftguard.metadata import STATE_WORDS
from tensorboard_plugin_shiftguard.words import in_plain_words

ACT, LOOK, CORRECTED, FINE, NOTHING = STATES = tuple(STATE_WORDS)
MAX_WORDS = 20  # words of a cause. A convention.
NOTHING_TO_DO = "Nothing to do."
NOT_MEASURED = "cost not measured"
_IN_BRACKETS = re.compile(r" \([^()]*\)")


def parts_of(state: str, cause: str, **others: Any) -> dict[str, Any]:
    """Returns the arguments of a `Verdict`: those given, and what is usual for the others.

    The cause is a sentence, and is made short.
    """
    cause = f"{brief(cause)}."
    blank = {"step": NOTHING_TO_DO, "streams": (), "about": ()}
    return {**blank, "state": state, "cause": cause, **others}


def facts_of(lead: Finding) -> dict[str, Any]:
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


def capital(sentence: str) -> str:
    """Returns a sentence that begins with a capital letter."""
    return f"{sentence[:1].upper()}{sentence[1:]}"


def brief(sentence: str, limit: int = MAX_WORDS) -> str:
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
