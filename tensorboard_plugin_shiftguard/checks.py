"""JSON from a log, taken apart: what is not as it should be is None, never an error.

Whoever hands over a log directory wrote what is in it. A check takes any value
and returns one of the promised type and size.
"""

import json
from collections.abc import Callable
from typing import Any

from tensorboard_plugin_shiftguard.answers import Unreadable

Check = Callable[[Any], Any]

MAX_JSON_BYTES = 65_536
MAX_NAME = 200
MAX_SENTENCE = 2000
# The largest whole number that JavaScript counts exactly to.
MAX_INTEGER = 2**53 - 1


def parsed(raw: bytes, most: int = MAX_JSON_BYTES) -> Any:
    """Reads JSON.

    Args:
        raw: UTF-8.
        most: Bytes that are read at most.

    Raises:
        Unreadable: With the end of a sentence that begins with what was read.
    """
    if len(raw) > most:
        raise Unreadable(f"holds a text larger than {most:,} bytes")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise Unreadable("holds a text that is not JSON") from None


def text(most: int = MAX_SENTENCE) -> Check:
    """A string, cut, without the lone surrogates that `encodeURIComponent` rejects."""

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        value = value[:most]
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    return check


name = text(MAX_NAME)
sentence = text()


def number(value: Any) -> float | int | None:
    """A finite number; a whole one stays whole."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        return value if abs(value) <= MAX_INTEGER else None
    return value if abs(value) < float("inf") else None


def whole(value: Any) -> int | None:
    """A whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_INTEGER else None


def flag(value: Any) -> bool:
    """True only for true."""
    return value is True


def one_of(*choices: str) -> Check:
    """One of a few words."""
    return lambda value: value if isinstance(value, str) and value in choices else None


def items(check: Check, most: int) -> Check:
    """A list of what passes; what does not is left out."""

    def checked(value: Any) -> list[Any]:
        found = map(check, value[:most] if isinstance(value, list) else [])
        return [item for item in found if item is not None]

    return checked


def vector(length: int | None = None, most: int = 64) -> Check:
    """A list of numbers, null where one is not known; None if it is no such list."""

    def checked(value: Any) -> list[Any] | None:
        if not isinstance(value, list) or len(value) > most:
            return None
        if length is not None and len(value) != length:
            return None
        return [number(item) for item in value]

    return checked


def mapping(check: Check, most: int) -> Check:
    """An object from names to what passes."""

    def checked(value: Any) -> dict[str, Any]:
        pairs = list(value.items())[:most] if isinstance(value, dict) else []
        found = {name(key): check(item) for key, item in pairs}
        return {key: item for key, item in found.items() if item is not None}

    return checked


def record(**fields: Check) -> Check:
    """An object with just these fields, each of its type or None; None if no object."""

    def checked(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            return None
        return {key: check(value.get(key)) for key, check in fields.items()}

    return checked
