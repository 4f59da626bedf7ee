"""The numeric series of a run as arrays: scores, histograms and class counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable
from tensorboard_plugin_shiftguard.metadata import (
    CLASSES,
    FLAGS,
    HISTOGRAMS,
    MAX_BINS,
    MAX_CLASSES,
    MAX_CONTENT_BYTES,
    MAX_FEATURES,
    MAX_HISTOGRAMS,
    MAX_STREAMS,
    NUM_COLUMNS,
    NUM_COLUMNS_WITHOUT_COST,
    SCHEMA,
    SCORES,
)
from tensorboard_plugin_shiftguard.run_log import MAX_POINTS, RunReader
from tensorboard_plugin_shiftguard.statements import tags_of_latest_fit

MAX_CLASS_NAME = 100  # characters


@dataclass(frozen=True)
class Head:
    """The description of a series, which is valid for all its points.

    Args:
        tag: The tag of the series.
        names: The features, one for each row of the tensor. Class counts have a single feature.
        pair: For scores: the stream, and the stream that it is compared with.
        negligible: For scores: the effect size below which a shift is negligible.
        total: For scores: the number of features that were measured.
        streams: For histograms and class counts: the streams.
        classes: For class counts: the names of the classes.
        edges: For histograms: all edges that a bin may have, ascending.
        bins: For histograms: the number of bins.
        columns: For scores: the number of columns.
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
    columns: int = NUM_COLUMNS_WITHOUT_COST


@dataclass(frozen=True)
class Table:
    """A series as one array.

    Args:
        head: The description of the series.
        steps: `(t,)` int64, ascending.
        values: `(t, ...)`; each point has the type and shape that follow from `head`.
    """

    head: Head
    steps: np.ndarray
    values: np.ndarray


def heads(run: RunReader, kind: str) -> list[Head]:
    """Returns the descriptions of all series of a kind that the latest fit wrote.

    Unreadable descriptions are left out and noted in `run.problems`.
    """
    parse = {SCORES: _scores, HISTOGRAMS: _histograms, CLASSES: _classes}[kind]
    found = []
    for tag in run.tags(kind, tags_of_latest_fit(run)):
        try:
            content = checks.versioned(run.contents[tag], SCHEMA, MAX_CONTENT_BYTES)
            found.append(parse(tag, content))
        except Unreadable as error:
            run.add_problem(tag, str(error))
    return found


def tables(run: RunReader, heads: Iterable[Head], max_points: int = MAX_POINTS) -> dict[str, Table]:
    """Returns series as arrays, without points that have another type or shape than described.

    Args:
        run: The run that has the series.
        heads: The descriptions of the series.
        max_points: Largest number of points that are read of each series. The last point is always
            read.

    Returns:
        The series that have at least one good point, by tag.
    """
    heads = list(heads)
    points = run.points((head.tag for head in heads), max_points)
    found = {}
    for head in heads:
        dtype, shape = _promised(head)
        good = [
            point
            for point in points[head.tag]
            if point.value.dtype == dtype and point.value.shape == shape
        ]
        if bad := len(points[head.tag]) - len(good):
            run.add_problem(
                head.tag, f"has {bad} of {len(good) + bad} points that are not {dtype} of {shape}"
            )
        if good:
            steps = np.array([point.step for point in good], np.int64)
            values = np.stack([point.value for point in good])
            found[head.tag] = Table(head, steps, _cleaned(head, values))
    return found


def _promised(head: Head) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Returns the type and the shape that the points of a series must have."""
    if head.edges is not None:
        width = head.bins + 1 + len(head.streams) * head.bins
        return np.dtype(np.int16), (len(head.names), width)
    if head.classes:
        return np.dtype(np.float32), (len(head.streams), len(head.classes))
    return np.dtype(np.float32), (len(head.names), head.columns)


def _cleaned(head: Head, values: np.ndarray) -> np.ndarray:
    """Returns values with NaN in place of impossible values: infinity, negative counts.

    Scores in logs of an older version lack a column; this column is added and filled with NaN.
    Histograms are returned unchanged.
    """
    if values.dtype != np.float32:
        return values
    values = np.where(np.isfinite(values), values, np.float32(np.nan))
    if head.classes:
        return np.where(values >= 0, values, np.float32(np.nan))
    absent = [(0, 0)] * (values.ndim - 1) + [(0, NUM_COLUMNS - head.columns)]
    return np.pad(values, absent, constant_values=np.nan)


def flags_of(values: np.ndarray) -> np.ndarray:
    """Returns the flags in scores `(..., columns)`, as `(...)` uint8 from 0 to 15."""
    return np.clip(np.nan_to_num(values[..., FLAGS]), 0, 15).astype(np.uint8)


def _scores(tag: str, content: dict[str, Any]) -> Head:
    names = _names(content.get("names"), MAX_FEATURES)
    pair = checks.items(checks.name, 3)(content.get("pair"))
    if len(pair) != 2:
        raise Unreadable("does not say which two streams it compares")
    negligible = checks.number(content.get("negligible"))
    total = checks.whole(content.get("total"))
    columns = NUM_COLUMNS if content.get("cost") is True else NUM_COLUMNS_WITHOUT_COST
    return Head(
        tag,
        names,
        pair=(pair[0], pair[1]),
        negligible=0.1 if negligible is None else float(negligible),
        total=max(total or 0, len(names)),
        columns=columns,
    )


def _histograms(tag: str, content: dict[str, Any]) -> Head:
    bins = checks.whole(content.get("bins"))
    if bins is None or not 1 <= bins <= MAX_BINS:
        raise Unreadable(f"does not have 1 to {MAX_BINS} bins")
    return Head(
        tag,
        _names(content.get("names"), MAX_HISTOGRAMS),
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


def _names(value: Any, max_names: int) -> tuple[str, ...]:
    """Returns a list of names as a tuple.

    Raises:
        Unreadable: If the value is not a list of 1 to `max_names` names. A wrong name cannot be
            left out, because each name belongs to a row.
    """
    found = checks.items(checks.name, max_names + 1)(value)
    if not isinstance(value, list) or not 1 <= len(found) == len(value) <= max_names:
        raise Unreadable(f"does not hold 1 to {max_names:,} names")
    return tuple(found)


def _edge_list(value: Any) -> np.ndarray:
    """Returns all edges that a histogram may have: a geometric series on either side of zero.

    Args:
        value: The grid as JSON, with `"smallest"`, `"gamma"` and `"bins_per_sign"`.

    Raises:
        Unreadable: If the grid is not usable.
    """
    grid = checks.record(smallest=checks.number, gamma=checks.number, bins_per_sign=checks.whole)(
        value
    )
    if grid and None not in grid.values():
        # The log stores an edge as its index in the grid. The index is an int16, so the grid cannot
        # be larger.
        if grid["smallest"] > 0 and 1 < grid["gamma"] <= 100 and 1 <= grid["bins_per_sign"] < 16383:
            with np.errstate(over="ignore"):
                powers = float(grid["gamma"]) ** np.arange(grid["bins_per_sign"] + 1)
                positive = float(grid["smallest"]) * powers
            if np.isfinite(positive[-1]):
                return np.concatenate([-positive[::-1], positive])
    raise Unreadable("has no grid of bins that can be used")
