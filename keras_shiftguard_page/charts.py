"""The geometry of the charts, which a template draws: bars in shares of an axis, and SVG paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from keras_shiftguard_page.words import number

WIDTH, HEIGHT = 800, 120  # of the curves, in units of the SVG, which is stretched to fit
MARGIN = 0.06  # empty share of the height above the highest point, and below the lowest


class Mark(NamedTuple):
    """A bar of a row: its start and length, in shares of the axis, and its CSS class."""

    start: float
    length: float
    look: str


class Row(NamedTuple):
    """A row of a chart: its name, its bars, and its value as text."""

    name: str
    marks: tuple[Mark, ...]
    figure: str


@dataclass(frozen=True)
class Rows:
    """Rows of bars on one axis."""

    title: str
    rows: list[Row]
    kind: ClassVar[str] = "rows"


def bars(title: str, rows: Sequence[tuple[str, float, str, bool]]) -> Rows:
    """Returns a chart of bars that begin at 0; each is `(name, value, figure, is_highlighted)`.

    `figure` is the value as text. A value below 0 is drawn as 0.
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
    """Returns a waterfall chart: the first value, a row for each step, and the last value.

    Each is `(name, value or change, figure)`, where `figure` is the number as text.
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
    """Returns rows with one point each, on one axis; an interval is drawn behind all points.

    The rows are `(name, value, figure)`.
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
    """One curve: its name, its CSS class, its SVG path, and its last value as text."""

    name: str
    look: str
    path: str
    last: str


@dataclass(frozen=True)
class Lines:
    """Curves over the epochs."""

    title: str
    ticks: tuple[str, ...]
    lines: list[Line]
    first: int
    last: int
    kind: ClassVar[str] = "lines"
    width: ClassVar[int] = WIDTH
    height: ClassVar[int] = HEIGHT


def lines(
    title: str, epochs: Sequence[int], curves: Sequence[tuple[str, str, Sequence[Any]]]
) -> tuple[Lines, ...]:
    """Returns a chart of curves over the epochs, in a tuple; empty if no value is known.

    The curves are `(name, CSS class, values)`; an unknown value is None.
    """
    known = [value for _, _, values in curves for value in values if value is not None]
    if not known:
        return ()
    low, high = min(known), max(known)
    if low == high:
        room = 0.05 * (abs(low) or 1.0)
        low, high = low - room, high + room
    span = high - low
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

    drawn = []
    for name, look, values in curves:
        own = [value for value in values if value is not None]
        if own:
            drawn.append(Line(name, look, path(values), number(own[-1], 3)))
    ticks = tuple(number(value, 3) for value in (high, (low + high) / 2, low))
    return (Lines(title, ticks, drawn, epochs[0], epochs[-1]),)
