"""What is sent back: JSON of a bounded size, and errors that a person can read."""

import json
import math
from collections.abc import Iterable
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request, Response

# Before compression; the browser should never wait for more.
MAX_BYTES = 1_000_000


class ShiftError(Exception):
    """Something that is told to the reader of the tab.

    Args:
        message: A sentence.
    """

    status = 422

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadQuery(ShiftError):
    """The question itself is wrong."""

    status = 400


class NotHere(ShiftError):
    """There is no such run or feature, or not yet."""

    status = 404


class Unreadable(ShiftError):
    """The data is there and cannot be used."""

    status = 422


class NotNow(ShiftError):
    """TensorBoard itself cannot read at the moment."""

    status = 503


def to_json(body: Any) -> str:
    """Compact ASCII; control characters and all other scripts stand escaped."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False)


def respond(
    request: Request,
    body: dict[str, Any],
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Answers with JSON.

    Raises:
        Unreadable: If it is larger than any honest log makes it.
    """
    text = to_json(body)
    if len(text) > MAX_BYTES:
        raise Unreadable("The answer would be larger than 1 MB, so this log is not shown.")
    return http_util.Respond(request, text, "application/json", status, headers=list(headers))


def respond_error(request: Request, error: ShiftError) -> Response:
    """Answers with the sentence of an error."""
    return respond(request, {"error": error.message}, error.status)


def fitting(items: list[Any], budget: int) -> list[Any]:
    """The first items whose JSON takes at most `budget` bytes together."""
    for position, item in enumerate(items):
        budget -= len(to_json(item)) + 1
        if budget < 0:
            return items[:position]
    return items


def rounded(value: Any) -> float | None:
    """A number to five digits; None for what is not finite."""
    # Rounding may take the largest numbers beyond what is finite.
    number = float(f"{float(value):.5g}")
    return number if math.isfinite(number) else None
