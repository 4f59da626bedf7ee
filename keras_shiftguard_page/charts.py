"""The geometry of the charts: positions from 0 to 1, which a template turns into SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from keras_shiftguard_page.words import number

WIDTH, HEIGHT = 800, 120  # of the lines, in units of the drawing; it is stretched to its place
MARGIN = 0.06  # above the highest point and below the lowest


class Mark(NamedTuple):
    """A bar of a row, from `start` over `length`, both in shares of the axis."""

    start: float
    length: float
    look: str


class Row(NamedTuple):
    """A name, what is drawn beside it, and its figure."""

    name: str
    marks: tuple[Mark, ...]
    figure: str


@dataclass(frozen=True)
class Rows:
    """Rows of bars on one axis.

    Args:
        title: What is shown.
        rows: The rows from top to bottom.
    """

    title: str
    rows: list[Row]
    kind: ClassVar[str] = "rows"


def bars(title: str, rows: Sequence[tuple[str, float, str, bool]]) -> Rows:
    """Returns bars from 0.

    Args:
        title: What is shown.
        rows: `(name, value, figure, chosen)` of each bar; a value below 0 is drawn as 0.
    """
    longest = max((value for _, value, _, _ in rows), default=0.0) or 1.0
    return Rows(
        title,
        [
            Row(name, (Mark(0.0, max(value, 0.0) / longest, "chosen" if chosen else "bar"),), text)
            for name, value, text, chosen in rows
        ],
    )


def waterfall(
    title: str,
    start: tuple[str, float, str],
    steps: Sequence[tuple[str, float, str]],
    end: tuple[str, float, str],
) -> Rows:
    """Returns a waterfall: from a first value down, or up, to a last one, a row for each step.

    Args:
        title: What is shown.
        start: `(name, value, figure)` of the first value.
        steps: The same of each step; its value is what it adds.
        end: The same of the last value.
    """
    levels = [start[1]]
    for _, added, _ in steps:
        levels.append(levels[-1] + added)
    low, high = _axis([*levels, end[1]])
    rows = [_whole(start, low, high)]
    for (name, added, figure), (before, after) in zip(steps, pairwise(levels), strict=True):
        left, right = sorted((before, after))
        look = "loss" if added < 0 else "gain"
        mark = Mark((left - low) / (high - low), (right - left) / (high - low), look)
        rows.append(Row(name, (mark,), figure))
    return Rows(title, [*rows, _whole(end, low, high)])


def ranges(
    title: str, rows: Sequence[tuple[str, float, str]], ends: Sequence[float] | None
) -> Rows:
    """Returns a point in each row, on an axis with an interval behind all of them.

    Args:
        title: What is shown.
        rows: `(name, value, figure)` of each point.
        ends: The interval, or None.
    """
    low, high = _axis([value for _, value, _ in rows] + list(ends or ()))
    span = high - low
    behind = (Mark((ends[0] - low) / span, (ends[1] - ends[0]) / span, "range"),) if ends else ()
    return Rows(
        title,
        [
            Row(name, (*behind, Mark((value - low) / span - 0.004, 0.008, "chosen")), figure)
            for name, value, figure in rows
        ],
    )


def _whole(end: tuple[str, float, str], low: float, high: float) -> Row:
    name, value, figure = end
    return Row(name, (Mark(0.0, (value - low) / (high - low), "bar"),), figure)


def _axis(values: Sequence[float]) -> tuple[float, float]:
    """Returns the ends of an axis that begins a little below the smallest value."""
    low, high = min(values), max(values)
    margin = 0.25 * (high - low) or 0.05
    return low - margin, high + 0.05 * (high - low) + 1e-9


class Line(NamedTuple):
    """One curve: its name, its look, the path of the drawing, and its last value."""

    name: str
    look: str
    path: str
    last: str


@dataclass(frozen=True)
class Lines:
    """Curves over the epochs.

    Args:
        title: What is shown.
        span: The smallest and the largest value, as text.
        lines: The curves.
        first: The first epoch.
        last: The last epoch.
    """

    title: str
    span: str
    lines: list[Line]
    first: int
    last: int
    kind: ClassVar[str] = "lines"
    width: ClassVar[int] = WIDTH
    height: ClassVar[int] = HEIGHT


def lines(
    title: str, epochs: Sequence[int], curves: Sequence[tuple[str, str, Sequence[Any]]]
) -> tuple[Lines, ...]:
    """Returns curves over the epochs; nothing where no value is known.

    Args:
        title: What is shown.
        epochs: The epochs.
        curves: `(name, look, values)` of each; None where a value is not known.
    """
    known = [value for _, _, values in curves for value in values if value is not None]
    if not known:
        return ()
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    places = [(i + 0.5) * WIDTH / len(epochs) for i in range(len(epochs))]

    def path(values: Sequence[Any]) -> str:
        parts, pen = [], "M"
        for x, value in zip(places, values, strict=False):
            if value is None:
                pen = "M"
                continue
            y = HEIGHT * (1 - MARGIN - (1 - 2 * MARGIN) * (value - low) / span)
            parts.append(f"{pen}{x:.1f} {y:.1f}{'h0' if pen == 'M' else ''}")
            pen = "L"
        return "".join(parts)

    drawn = [
        Line(
            name,
            look,
            path(values),
            number(next((v for v in reversed(values) if v is not None), None), 3),
        )
        for name, look, values in curves
        if any(value is not None for value in values)
    ]
    ends = f"{number(low, 3)} to {number(high, 3)}"
    return (Lines(title, ends, drawn, epochs[0], epochs[-1]),)


class Cell(NamedTuple):
    """One epoch of a row: how strong it is, from 0 to 4, and what it says."""

    level: int
    text: str


class HeatRow(NamedTuple):
    """A cause over the epochs."""

    name: str
    below: str
    cells: list[Cell]
    figure: str
    is_alarm: bool


@dataclass(frozen=True)
class Heat:
    """Causes by epochs, coloured by how much they differ.

    Args:
        title: What is shown.
        rows: The causes.
        first: The first epoch.
        last: The last epoch.
    """

    title: str
    rows: list[HeatRow]
    first: int
    last: int
    kind: ClassVar[str] = "heat"
