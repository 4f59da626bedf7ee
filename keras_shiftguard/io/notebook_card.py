"""HTML of a verdict for notebooks: the text of `str()`, a colour, and a table of numbers.

All texts are escaped, because names of features, layers and classes come from the data.
Only the edge has a colour, so that the text is readable on light and on dark pages.
"""

from collections.abc import Sequence
from html import escape

GOOD, BAD, OPEN = "#2e7d32", "#c62828", "#757575"  # green, red, and gray if undecided
MAX_ROWS = 20  # of the table, which bounds the length of a card


def card(
    text: str,
    colour: str,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> str:
    """Returns a verdict as one HTML element.

    Args:
        text: The verdict. Its first line is the headline.
        colour: The colour of the edge: `GOOD`, `BAD` or `OPEN`.
        columns: The column headings of the table.
        rows: The cells of the table. At most `MAX_ROWS` rows are shown.

    Example:

    >>> card("a < b", GOOD).count("&lt;")
    1
    """
    headline, *lines = text.split("\n")
    parts = [f"<p><strong>{escape(headline)}</strong></p>"]
    if lines:
        items = "".join(f"<li>{escape(line.strip(' -'))}</li>" for line in lines)
        parts.append(f"<ul>{items}</ul>")
    if rows:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
        body = "".join(_row(row) for row in rows[:MAX_ROWS])
        more = len(rows) - MAX_ROWS
        summary = f"Table of {len(rows)} rows" + (f", {MAX_ROWS} shown" if more > 0 else "")
        parts.append(
            f"<details><summary>{summary}</summary>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
        )
    style = f"border-left: 4px solid {colour}; padding-left: 12px"
    return f'<div style="{style}">{"".join(parts)}</div>'


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
