"""`AsPage`: the methods that show a result as one HTML page, in a file or in a notebook."""

import time
from os import PathLike
from typing import Any

from keras_shiftguard.io.atomic_files import replace_file
from keras_shiftguard.io.json_files import plain


class AsPage:
    """Base class of results that can be shown as a page. Subclasses define `_page_parts`."""

    def _page_parts(self) -> dict[str, Any]:
        """Returns the data of the page, see `keras_shiftguard_page`."""
        raise NotImplementedError

    def to_html(self, path: str | PathLike[str] | None = None) -> str | None:
        """Returns or writes one self-contained HTML page, to send or to print.

        The page can be opened from a file and loads nothing from the network. Names of features,
        classes and layers are shown as plain text, even if they contain HTML.

        Args:
            path: The file to write; None returns the page as text.

        Returns:
            The page as text, or None if it was written.

        Raises:
            OSError: if the file cannot be written.
        """
        # Imported here because few results are shown as a page.
        from keras_shiftguard_page import page

        text = page(plain(self._dated_parts()))
        if path is None:
            return text
        replace_file(path, text)
        return None

    def _dated_parts(self) -> dict[str, Any]:
        """Returns the data of the page with the date of today, unless it has one."""
        return {"written": time.strftime("%Y-%m-%d"), **self._page_parts()}

    def _repr_html_(self) -> str:
        """Returns the page for a notebook, in a frame that keeps its style out of the notebook."""
        from keras_shiftguard_page import notebook

        parts = plain(self._dated_parts())
        return notebook(parts, (parts.get("verdict") or {}).get("text") or str(self))
