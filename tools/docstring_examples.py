"""Griffe extension for the API page: shows the examples of docstrings as code.

As in Keras, they stand below `Example:` without indentation, where Griffe takes them for text.
"""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^(>>> .*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


class DocstringExamples(griffe.Extension):
    """Puts each example of a docstring into a block of code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe calls this for every function, class and module that it has read."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(r"```pycon\n\1\n```", obj.docstring.value)
