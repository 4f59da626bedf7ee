"""The plugin's answers: JSON of limited size, and errors that a person can read."""

import json
import math
from collections.abc import Iterable
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request, Response

MAX_BYTES = 1_000_000  # of an answer, before compression


class ShiftError(Exception):
    """An error whose message the tab shows to the user."""

    status: int


class BadQuery(ShiftError):
    """An argument of the request is missing or wrong."""

    status = 400


class NotHere(ShiftError):
    """The requested run, picture or other data does not exist, or is still empty."""

    status = 404


class Unreadable(ShiftError):
    """The data exists but cannot be used."""

    status = 422


class NotNow(ShiftError):
    """The log cannot be read at the moment, or the plugin failed."""

    status = 503


def to_json(body: Any) -> str:
    """Returns compact JSON in ASCII; all other characters are escaped."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False)


def respond(
    request: Request,
    body: dict[str, Any],
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Returns a response with `body` as JSON.

    Raises:
        Unreadable: If the JSON is larger than `MAX_BYTES`, which no log written by
            keras_shiftguard reaches.
    """
    text = to_json(body)
    if len(text) > MAX_BYTES:
        raise Unreadable("The answer would be larger than 1 MB, so this log is not shown.")
    return http_util.Respond(request, text, "application/json", status, headers=list(headers))


def fitting(items: list[Any], budget: int) -> list[Any]:
    """Returns the first items whose JSON together takes at most `budget` bytes."""
    for position, item in enumerate(items):
        budget -= len(to_json(item)) + 1
        if budget < 0:
            return items[:position]
    return items


def rounded(value: Any) -> float | None:
    """Returns a number rounded to five significant digits; None if it is not finite."""
    # The check comes after rounding, which can turn the largest finite numbers into infinity.
    number = float(f"{float(value):.5g}")
    return number if math.isfinite(number) else None
