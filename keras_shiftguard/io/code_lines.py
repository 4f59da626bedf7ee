"""Lines of Python for the user to paste: strings in them, and the names of the user's data."""

import json
import re
from collections.abc import Mapping

_NAMES = re.compile(r'"(?:[^"\\]|\\.)*"|\b\w+\b')  # strings as a whole, and names


def quoted(name: str) -> str:
    """Returns a name as a string in a line of Python."""
    return json.dumps(name, ensure_ascii=False)


def renamed(line: str, names: Mapping[str, str]) -> str:
    """Returns a line of Python with other names of its data; texts in quotes stay.

    >>> renamed('x["x"] = x["x"] / 2', {"x": "x_val"})
    'x_val["x"] = x_val["x"] / 2'
    """
    return _NAMES.sub(lambda found: names.get(found[0], found[0]), line)


def digits(value: float) -> str:
    """Formats a number with at most six digits."""
    return f"{value:.6g}"
