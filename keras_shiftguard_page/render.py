"""Turns what a page says into HTML, with the templates of this package.

The result is one file that asks for nothing: styles and charts stand in it, there is no script,
and its content security policy forbids every request. Jinja2 escapes all texts, because names
of features, classes and streams come from the data.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from keras_shiftguard_page.assemble import Content, assemble
from keras_shiftguard_page.content import STATE_WORDS

# Control characters, except line breaks, and characters that change the direction of a text, are
# invisible, or are half of a character.
HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
MIN_HEIGHT, ROW_HEIGHT, MAX_HEIGHT = 340, 40, 680  # of the frame in a notebook, in pixels


def page(parts: Mapping[str, Any], folder: Path | None = None) -> str:
    """Returns the page of some data as a complete HTML document.

    Args:
        parts: The data, see the package.
        folder: The log directory that pictures are read from; None shows none.

    Raises:
        MalformedData: If the data is not what the library writes.
    """
    return _render(assemble(parts, folder))


def notebook(parts: Mapping[str, Any], text: str) -> str:
    """Returns the page in a frame of its own, which keeps its style apart from the notebook's.

    Where a notebook is not trusted, its viewer drops the frame and shows the text in it.

    Args:
        parts: The data, see the package.
        text: The verdict as text.
    """
    content = assemble(parts)
    rows = sum(len(table.rows) for section in content.sections for table in section.tables)
    height = min(MIN_HEIGHT + ROW_HEIGHT * rows, MAX_HEIGHT)
    template = _environment().get_template("frame.html")
    return template.render(document=_render(content), text=text, height=height)


def _render(content: Content) -> str:
    return _environment().get_template("page.html").render(page=content, words=STATE_WORDS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("keras_shiftguard_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    return environment


def _visible(value: Any) -> Any:
    """Returns a text with what cannot be seen in it as escapes."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
