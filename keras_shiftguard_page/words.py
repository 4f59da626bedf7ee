"""Formats numbers and sentences for a page."""

from collections.abc import Sequence
from typing import Any

from tensorboard_plugin_shiftguard.metadata import MAX_SENTENCE

MINUS, RANGE = "\N{MINUS SIGN}", " to "


def signed(text: str) -> str:
    """Returns a number as text with a minus sign that is as wide as a plus sign."""
    return text.replace("-", MINUS)


def number(value: Any, digits: int = 2) -> str:
    """Formats a number with a few significant digits; "" for None."""
    return "" if value is None else signed(f"{float(value):.{digits}g}")


def points(share: Any) -> str:
    """Formats a share as percentage points: 0.061 becomes "6.1"; None becomes ""."""
    return "" if share is None else signed(f"{100 * float(share) + 0.0:.1f}".replace("-0.0", "0.0"))


def percent(share: Any) -> str:
    """Formats a share as a percentage: 0.842 becomes "84.2 %"; None becomes ""."""
    return "" if share is None else f"{points(share)} %"


def cost(share: Any, metric: str | None) -> str:
    """Formats a cost with its unit: "6.1 points", or "30.0 % of the loss"; "" for None."""
    if share is None:
        return ""
    return f"{points(share)} {'points' if is_accuracy(metric) else '% of the loss'}"


def is_accuracy(metric: str | None) -> bool:
    """Whether a cost is in accuracy: logs of older versions have no name of a metric."""
    return metric in (None, "", "accuracy")


def interval(ends: Sequence[Any] | None, form: Any = points) -> str:
    """Formats an interval: "4.4 to 7.9"; "" for None."""
    return "" if not ends else RANGE.join(form(end) for end in ends)


def p_value(value: Any) -> str:
    """Formats a p-value; 1e-300 and less become "< 1e-300", and None becomes ""."""
    if value is None:
        return ""
    return "< 1e\N{MINUS SIGN}300" if float(value) <= 1e-300 else signed(f"{float(value):.1g}")


def stream(name: str) -> str:
    """Returns the name of a stream as sentences use it."""
    return "training" if name == "train" else name


def sentence(text: Any) -> str:
    """Returns a text as a sentence, with capital letter and period; cuts a long text."""
    text = " ".join(str(text).split())
    if len(text) > MAX_SENTENCE:
        head, _, rest = text[:MAX_SENTENCE].rpartition(". ")
        text = head or f"{rest[:-3]}..."
    end = "" if not text or text[-1] in ".!?:" else "."
    return text[:1].upper() + text[1:] + end
