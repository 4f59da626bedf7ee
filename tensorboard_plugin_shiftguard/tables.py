"""Scores, histograms and class counts of a run, as arrays of the promised shape."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable
from tensorboard_plugin_shiftguard.run_log import MAX_POINTS, Point, RunLog
from tensorboard_plugin_shiftguard.statements import tags_of_latest_fit

SCHEMA = 1
# Columns of a score tensor.
EFFECT, LOWER, UPPER, LOG10_P, FLAGS = range(5)
CURRENT, REFERENCE = slice(5, 7), slice(7, 9)
NUM_COLUMNS = 9
ALARM, EXPECTED, NEGLIGIBLE, TOLD = 1, 2, 4, 8

# A thousand names of usual length take 40 KB.
MAX_CONTENT_BYTES = 262_144
MAX_NAMES = {"scores": 1000, "histograms": 64}
MAX_CLASSES = 64
MAX_CLASS_NAME = 100
MAX_BINS = 64
MAX_STREAMS = 16
SHARE_SCALE = 32767


@dataclass(frozen=True)
class Head:
    """What a tag's content says of all its points.

    Args:
        tag: Which.
        names: Features, a row of the tensor each; of a classes tag just one.
        pair: For scores, the stream and what it is compared with.
        negligible: For scores, the effect size that matters.
        total: For scores, how many features were measured.
        streams: For histograms and classes.
        classes: For classes.
        edges: For histograms, the fixed edge list, ascending.
        bins: For histograms.
    """

    tag: str
    names: tuple[str, ...]
    pair: tuple[str, str] = ("", "")
    negligible: float = 0.1
    total: int = 0
    streams: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    edges: np.ndarray | None = None
    bins: int = 0

    def stream(self, name: str) -> int | None:
        """Which row of the tensor a stream has."""
        return self.streams.index(name) if name in self.streams else None


@dataclass(frozen=True)
class Table:
    """A series as one array.

    Args:
        head: What its tag says.
        steps: `(t,)` int64, ascending.
        values: `(t, ...)`, of the promised type and shape.
    """

    head: Head
    steps: np.ndarray
    values: np.ndarray


def heads(run: RunLog, kind: str) -> list[Head]:
    """The tags of a kind that can be read; the others are told in `run.problems`."""
    parse = {"scores": _scores, "histograms": _histograms, "classes": _classes}[kind]
    found = []
    for tag in run.tags(kind, tags_of_latest_fit(run)):
        try:
            content = checks.parsed(run.contents[tag], MAX_CONTENT_BYTES)
            if not isinstance(content, dict):
                raise Unreadable("has a content that is no JSON object")
            if content.get("v") != SCHEMA:
                raise Unreadable(f"has a content of another layout than {SCHEMA}")
            found.append(parse(tag, content))
        except Unreadable as error:
            run.problem(tag, error.message)
    return found


def tables(run: RunLog, heads: Iterable[Head], most: int = MAX_POINTS) -> dict[str, Table]:
    """The series of some tags; what is of another type or shape is left out.

    Args:
        run: Where they are.
        heads: Which.
        most: How many points of each, of which the last is always one.

    Returns:
        By tag, those with at least one good point.
    """
    heads = list(heads)
    points = run.points((head.tag for head in heads), most)
    found = {}
    for head in heads:
        dtype, shape = _promised(head)
        good = [p for p in points[head.tag] if _is(p, dtype, shape)]
        if bad := len(points[head.tag]) - len(good):
            run.problem(
                head.tag, f"has {bad} of {len(good) + bad} points that are not {dtype} of {shape}"
            )
        if good:
            steps = np.array([point.step for point in good], np.int64)
            values = np.stack([point.value for point in good])
            found[head.tag] = Table(head, steps, _cleaned(head, values))
    return found


def _promised(head: Head) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if head.edges is not None:
        width = head.bins + 1 + len(head.streams) * head.bins
        return np.dtype(np.int16), (len(head.names), width)
    if head.classes:
        return np.dtype(np.float32), (len(head.streams), len(head.classes))
    return np.dtype(np.float32), (len(head.names), NUM_COLUMNS)


def _is(point: Point, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
    value = point.value
    return isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == shape


def _cleaned(head: Head, values: np.ndarray) -> np.ndarray:
    """Scores and counts with NaN for all that is no number."""
    if values.dtype != np.float32:
        return values
    values = np.where(np.isfinite(values), values, np.float32(np.nan))
    if head.classes:
        return np.where(values >= 0, values, np.float32(np.nan))
    return values


def flags_of(values: np.ndarray) -> np.ndarray:
    """The flags of scores `(..., 9)` as uint8 from 0 to 15."""
    return np.clip(np.nan_to_num(values[..., FLAGS]), 0, 15).astype(np.uint8)


def _scores(tag: str, content: dict[str, Any]) -> Head:
    names = _names(content.get("names"), MAX_NAMES["scores"])
    pair = checks.items(checks.name, 3)(content.get("pair"))
    if len(pair) != 2:
        raise Unreadable("does not say which two streams it compares")
    negligible = checks.number(content.get("negligible"))
    total = checks.whole(content.get("total"))
    return Head(
        tag,
        names,
        pair=(pair[0], pair[1]),
        negligible=0.1 if negligible is None else float(negligible),
        total=max(total or 0, len(names)),
    )


def _histograms(tag: str, content: dict[str, Any]) -> Head:
    bins = checks.whole(content.get("bins"))
    if bins is None or not 1 <= bins <= MAX_BINS:
        raise Unreadable(f"does not have 1 to {MAX_BINS} bins")
    return Head(
        tag,
        _names(content.get("names"), MAX_NAMES["histograms"]),
        streams=_names(content.get("streams"), MAX_STREAMS),
        edges=_edge_list(content.get("grid")),
        bins=bins,
    )


def _classes(tag: str, content: dict[str, Any]) -> Head:
    feature = checks.name(content.get("name"))
    if not feature:
        raise Unreadable("does not name its feature")
    classes = content.get("classes")
    short = checks.items(checks.text(MAX_CLASS_NAME), MAX_CLASSES + 1)(classes)
    if not isinstance(classes, list) or not 1 <= len(short) == len(classes) <= MAX_CLASSES:
        raise Unreadable(f"does not name 1 to {MAX_CLASSES} classes")
    streams = _names(content.get("streams"), MAX_STREAMS)
    return Head(tag, (feature,), streams=streams, classes=tuple(short))


def _names(value: Any, most: int) -> tuple[str, ...]:
    """All the names, or an error: rows and names must not get out of step."""
    found = checks.items(checks.name, most + 1)(value)
    if not isinstance(value, list) or not 1 <= len(found) == len(value) <= most:
        raise Unreadable(f"does not hold 1 to {most:,} names")
    return tuple(found)


def _edge_list(value: Any) -> np.ndarray:
    """All edges that histograms may use: geometric from zero, both ways.

    Args:
        value: `{"smallest", "gamma", "bins_per_sign"}`.
    """
    grid = checks.record(smallest=checks.number, gamma=checks.number, bins_per_sign=checks.whole)(
        value
    )
    if grid and None not in grid.values():
        # An index is an int16, so there is no more of a grid than this.
        if grid["smallest"] > 0 and 1 < grid["gamma"] <= 100 and 1 <= grid["bins_per_sign"] < 16383:
            with np.errstate(over="ignore"):
                powers = float(grid["gamma"]) ** np.arange(grid["bins_per_sign"] + 1)
                positive = float(grid["smallest"]) * powers
            if np.isfinite(positive[-1]):
                return np.concatenate([-positive[::-1], positive])
    raise Unreadable("has no grid of bins that can be used")
