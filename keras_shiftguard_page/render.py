"""Renders the content of a page as HTML, with the templates of this package.

The result is one self-contained file: it includes its styles and charts, has no script, and its
content security policy forbids every request. Jinja2 escapes all texts, because names of
features, classes and streams come from the data.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from keras_shiftguard_page.assemble import Content, assemble
from tensorboard_plugin_shiftguard.metadata import STATE_WORDS

# Control characters except line breaks, invisible characters, characters that change the direction
# of a text, and halves of surrogate pairs.
HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
MIN_HEIGHT, ROW_HEIGHT, MAX_HEIGHT = 400, 55, 680  # of the frame in a notebook, in pixels


def page(parts: Mapping[str, Any], folder: Path | None = None) -> str:
    """Returns the page of `parts`, see the docstring of the package, as an HTML document.

    Pictures are read from the log directory `folder`; None shows none.

    Raises:
        MalformedData: If the data does not have the form that the library writes.
    """
    return _render(assemble(parts, folder))


def notebook(parts: Mapping[str, Any], text: str) -> str:
    """Returns the page in an iframe, so that its styles and the notebook's do not mix.

    A viewer that does not trust the notebook drops the iframe and shows `text` instead.
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
    """Returns a text with its `HIDDEN` characters escaped, and other values unchanged."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
