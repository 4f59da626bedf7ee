"""The content of a page before it is rendered: a band with the verdict, and sections below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorboard_plugin_shiftguard.metadata import STATE_WORDS

# The states, from the most urgent to the one that needs no action.
ACT, LOOK, CORRECTED, FINE, NOTHING = STATES = tuple(STATE_WORDS)


@dataclass(frozen=True)
class Fact:
    """A figure of the band.

    Args:
        figure: The large text, such as `"-6.1 points"`.
        meaning: Its explanation, such as `"accuracy lost, 4.4 to 7.9"`.
    """

    figure: str
    meaning: str


@dataclass(frozen=True)
class Band:
    """The verdict: one sentence, its figures, and what to do.

    Args:
        state: One of `STATES`.
        headline: The verdict in one sentence.
        because: The finding in full, with its numbers; may be empty.
        notes: What could not be compared.
        facts: Its figures.
        advice: What to do, in words; may be empty.
        code: A line of Python to paste; may be empty.
    """

    state: str
    headline: str
    facts: tuple[Fact, ...] = ()
    advice: str = ""
    code: str = ""
    because: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Args:
        columns: The headings.
        rows: The cells of each row.
        numbers: Indices of the columns that hold numbers, which are aligned right.
        more: The number of rows that are not shown.
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
        codes: `(purpose, line of Python to paste)` of each repair.
        pictures: Rows of pictures, see `pictures.py`.
    """

    title: str
    note: str = ""
    charts: tuple[Any, ...] = ()
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Part:
    """The content for one part of the data: its verdict and its sections."""

    band: Band
    sections: list[Section] = field(default_factory=list)


def table(
    columns: str,
    rows: Sequence[tuple[str, ...]],
    numbers: str = "",
    limit: int = 100,
    more: int = 0,
) -> tuple[Table, ...]:
    """Returns a table with at most `limit` rows, in a tuple; an empty tuple if there are no rows.

    Args:
        columns: The headings, separated by `|`.
        rows: The cells of each row.
        numbers: The headings of the columns that hold numbers, separated by `|`.
        limit: The largest number of rows.
        more: The number of further rows, which are not in `rows`.
    """
    if not rows:
        return ()
    names = tuple(columns.split("|"))
    right = frozenset(names.index(name) for name in numbers.split("|") if name)
    return (Table(names, list(rows[:limit]), right, max(len(rows) - limit, 0) + more),)
