"""What a page says, before it is drawn: a band with the verdict, and sections below it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# The states, from the one that needs a person most to the one that needs nobody.
ACT, CORRECTED, LOOK, FINE = "act", "corrected", "look", "fine"
STATES = (ACT, CORRECTED, LOOK, FINE)
STATE_WORDS = {ACT: "Act", CORRECTED: "Corrected", LOOK: "Look", FINE: "Fine"}

MAX_SENTENCE = 600  # characters of a sentence; longer ones are cut


@dataclass(frozen=True)
class Fact:
    """A figure of the band.

    Args:
        figure: What is read first: `"-6.1 points"`.
        meaning: What it is: `"accuracy lost, 4.4 to 7.9"`.
    """

    figure: str
    meaning: str


@dataclass(frozen=True)
class Band:
    """The verdict: one sentence, its figures, and what to do.

    Args:
        state: `"act"`, `"corrected"`, `"look"` or `"fine"`.
        headline: The verdict in one sentence.
        facts: Its figures.
        advice: What to do, in words; may be empty.
        code: A line of Python to paste; may be empty.
    """

    state: str
    headline: str
    facts: tuple[Fact, ...] = ()
    advice: str = ""
    code: str = ""


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Args:
        columns: The headings.
        rows: The cells of each row.
        numbers: Indices of the columns that hold numbers, which stand on the right.
        more: How many rows there are that are not shown.
    """

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: frozenset[int] = frozenset()
    more: int = 0


@dataclass(frozen=True)
class Section:
    """A part of the page under the band.

    Args:
        title: The heading.
        note: A few words beside the heading.
        charts: Charts of `charts.py`, each with its `kind`.
        tables: Tables.
        sentences: Sentences, as a list.
        codes: `(for what, line of Python)`, to paste.
        pictures: Rows of pictures, see `pictures.py`.
        folded: Whether it is closed until somebody opens it; it is printed open.
    """

    title: str
    note: str = ""
    charts: tuple[Any, ...] = ()
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Any, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Part:
    """What one part of the data says: its verdict and its sections."""

    band: Band
    sections: list[Section] = field(default_factory=list)


def table(
    columns: str,
    rows: Sequence[tuple[str, ...]],
    numbers: str = "",
    limit: int = 100,
    more: int = 0,
) -> tuple[Table, ...]:
    """Returns a table with at most `limit` rows; no table without rows.

    Args:
        columns: The headings, separated by `|`.
        rows: The cells of each row.
        numbers: The headings of the columns that hold numbers, separated by `|`.
        limit: The largest number of rows.
        more: How many rows there are that are not even in `rows`.
    """
    if not rows:
        return ()
    names = tuple(columns.split("|"))
    right = frozenset(names.index(name) for name in numbers.split("|") if name)
    return (Table(names, list(rows[:limit]), right, max(len(rows) - limit, 0) + more),)
