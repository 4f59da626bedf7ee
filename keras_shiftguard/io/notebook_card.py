"""Verdicts in a notebook: what `str()` says, with a colour, and the numbers as a table.

Everything is escaped: names of features, layers and classes are the data's. Colours
are those of the edge only, so that the text suits a light and a dark page.
"""

from collections.abc import Sequence
from html import escape

GOOD, BAD, OPEN = "#2e7d32", "#c62828", "#757575"
MOST_ROWS = 20


def card(
    text: str,
    colour: str,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> str:
    """HTML of a verdict.

    Args:
        text: The verdict; its first line is the headline.
        colour: `GOOD`, `BAD` or `OPEN`.
        columns: Heads of the table.
        rows: Its cells, as text; at most `MOST_ROWS` are shown.

    Returns:
        One element.

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
        body = "".join(_row(row) for row in rows[:MOST_ROWS])
        more = len(rows) - MOST_ROWS
        summary = f"{len(rows)} in numbers" + (f", {MOST_ROWS} shown" if more > 0 else "")
        parts.append(
            f"<details><summary>{summary}</summary>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
        )
    style = f"border-left: 4px solid {colour}; padding-left: 12px"
    return f'<div style="{style}">{"".join(parts)}</div>'


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
