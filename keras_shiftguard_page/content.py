"""The content of a page before it is rendered: a band with the verdict, and sections below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensorboard_plugin_shiftguard.metadata import STATE_WORDS

# The states, from the most urgent to the one that needs no action.
ACT, LOOK, CORRECTED, FINE, NOTHING = STATES = tuple(STATE_WORDS)


@dataclass(frozen=True)
class Fact:
    """A figure of the band: `"-6.1 points"` means `"accuracy lost, 4.4 to 7.9"`."""

    figure: str
    meaning: str


@dataclass(frozen=True)
class Band:
    """The verdict: one sentence, its figures, and what to do."""

    state: str
    headline: str
    facts: tuple[Fact, ...] = ()
    advice: str = ""  # in words
    code: str = ""  # a line of Python to paste
    because: str = ""  # the finding in full, with its numbers
    notes: tuple[str, ...] = ()  # what could not be compared


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: frozenset[int] = frozenset()  # columns that hold numbers, which are aligned right
    more: int = 0  # rows that are not shown


@dataclass(frozen=True)
class Section:
    """A part of the page under the band."""

    title: str
    note: str = ""
    charts: tuple[Any, ...] = ()  # of `charts.py`, each with its `kind`
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()  # purpose and line of Python to paste of each repair
    pictures: tuple[Any, ...] = ()  # rows of pictures, see `pictures.py`


def table(
    columns: str,
    rows: Sequence[tuple[str, ...]],
    numbers: str = "",
    limit: int = 100,
    more: int = 0,
) -> tuple[Table, ...]:
    """Returns a table with at most `limit` rows, in a tuple; an empty tuple if there are no rows.

    The headings `columns`, and those of the columns that hold numbers, are separated by `|`. `more`
    counts further rows, which are not in `rows`.
    """
    if not rows:
        return ()
    names = tuple(columns.split("|"))
    right = frozenset(names.index(name) for name in numbers.split("|") if name)
    return (Table(names, list(rows[:limit]), right, max(len(rows) - limit, 0) + more),)
