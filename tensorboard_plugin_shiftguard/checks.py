"""Checks of JSON from a log, which may be damaged or written by an attacker.

A check is a function that takes any value. The function returns the value, or a part of the value,
with the required type and size. For a wrong value, the function returns None, False or an empty
container. A check never raises an error.
"""

import json
from collections.abc import Callable
from typing import Any

from tensorboard_plugin_shiftguard.answers import Unreadable
from tensorboard_plugin_shiftguard.metadata import MAX_JSON_BYTES, MAX_NAME, MAX_SENTENCE

Check = Callable[[Any], Any]

MAX_INTEGER = 2**53 - 1  # JavaScript represents whole numbers exactly up to this one


def parsed(raw: bytes, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Returns the parsed JSON, with None for NaN and infinity.

    Raises:
        Unreadable: If `raw` is too large or is not JSON. The message is a predicate about the tag,
            such as "holds a text that is not JSON".
    """
    if len(raw) > max_bytes:
        raise Unreadable(f"holds a text larger than {max_bytes:,} bytes")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise Unreadable("holds a text that is not JSON") from None


def versioned(raw: bytes, layout: int, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Returns a parsed JSON object of a layout, whose fields are not checked.

    Raises:
        Unreadable: If `raw` is no such object. The message is a predicate, as of `parsed`.
    """
    content = parsed(raw, max_bytes)
    if not isinstance(content, dict):
        raise Unreadable("is no JSON object")
    found = whole(content.get("v"))
    if found != layout:
        writer = name(content.get("version"))
        by = f", written by keras-shiftguard {writer}" if writer else ""
        raise Unreadable(f"has layout {found}{by}; this tab reads layout {layout}")
    return content


def text(max_length: int = MAX_SENTENCE) -> Check:
    """Returns a check for a string, which is cut to `max_length` characters.

    The check replaces lone surrogates, which JavaScript's `encodeURIComponent` rejects.
    """

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        value = value[:max_length]
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    return check


name = text(MAX_NAME)
sentence = text()


def number(value: Any) -> float | int | None:
    """Returns a finite number unchanged; None for other values and for ints over `MAX_INTEGER`."""
    if type(value) is int:
        return value if abs(value) <= MAX_INTEGER else None
    return value if isinstance(value, float) and abs(value) < float("inf") else None


def whole(value: Any) -> int | None:
    """Returns a whole number from 0 to `MAX_INTEGER` unchanged; None for every other value."""
    return value if type(value) is int and 0 <= value <= MAX_INTEGER else None


def flag(value: Any) -> bool:
    """Returns True for True, and False for everything else."""
    return value is True


def one_of(*choices: str) -> Check:
    """Returns a check that accepts only the words `choices`."""
    return lambda value: value if isinstance(value, str) and value in choices else None


def items(check: Check, max_items: int) -> Check:
    """Returns a check for a list, cut to `max_items`; items that fail `check` are left out."""

    def checked(value: Any) -> list[Any]:
        found = map(check, value[:max_items] if isinstance(value, list) else [])
        return [item for item in found if item is not None]

    return checked


def vector(length: int | None = None, max_length: int = 64) -> Check:
    """Returns a check for a list of numbers; an item that is not a number becomes None.

    Args:
        length: The required length; None for any.
        max_length: The largest accepted length.
    """

    def checked(value: Any) -> list[Any] | None:
        if not isinstance(value, list) or len(value) > max_length:
            return None
        if length is not None and len(value) != length:
            return None
        return [number(item) for item in value]

    return checked


def mapping(check: Check, max_items: int) -> Check:
    """Returns a check for a JSON object with any field names, cut to `max_items` fields.

    Fields whose values fail `check` are left out.
    """

    def checked(value: Any) -> dict[str, Any]:
        pairs = list(value.items())[:max_items] if isinstance(value, dict) else []
        found = {name(key): check(item) for key, item in pairs}
        return {key: item for key, item in found.items() if item is not None}

    return checked


def record(**fields: Check) -> Check:
    """Returns a check for a JSON object with the given fields.

    The check drops all other fields, and treats a missing field as None.
    """

    def checked(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            return None
        return {key: check(value.get(key)) for key, check in fields.items()}

    return checked
