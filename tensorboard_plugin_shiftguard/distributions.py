"""The response of `/feature`: the distributions and scores of one feature at many steps."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard.answers import NotHere, Unreadable, rounded
from tensorboard_plugin_shiftguard.bins import Drawing, common_edges, rebinned
from tensorboard_plugin_shiftguard.columns import MAX_COLUMNS, columns, last_in_column
from tensorboard_plugin_shiftguard.metadata import (
    CLASSES,
    EFFECT,
    HISTOGRAMS,
    LOWER,
    SCORES,
    UPPER,
)
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.tables import Head, Table, flags_of, heads, tables

NUM_BINS = 40  # of each distribution
MAX_FEATURE_BYTES = 850_000  # of the answer as JSON


def feature(run: RunReader, name: str) -> dict[str, Any]:
    """Returns the distributions and scores of one feature, at up to 250 steps.

    Raises:
        NotHere: If the run has no such feature.
        Unreadable: If no data of the feature can be used, or if the feature is not found and some
            tags of the run cannot be read.
    """
    where = _place(run, name)
    scored = [head for head in heads(run, SCORES) if name in head.names]
    if where is None and not scored:
        if run.problems:
            raise Unreadable(" ".join(["This feature cannot be read.", *run.problems[:3]]))
        raise NotHere(f"This run has no feature {name!r}.")
    found = tables(run, [*([where[0]] if where else []), *scored])
    if not found:
        raise Unreadable(" ".join(["This feature cannot be read.", *run.problems[:3]]))
    table = found.pop(where[0].tag, None) if where else None
    # From here on, `found` holds the tables of scores only.
    shown_tables = [*found.values(), *([table] if table else [])]
    shown = columns([t.steps for t in shown_tables], _max_columns(table, len(found)))
    answer = {
        "name": name,
        "kind": "score" if where is None else "classes" if where[0].classes else "number",
        "steps": shown.tolist(),
        "streams": {},
    }
    if table is not None and where is not None:
        answer |= _over_time(table, where[1], shown)
    answer["scores"] = [_scores(t, t.head.names.index(name), shown) for t in found.values()]
    answer["problems"] = run.problems
    return answer


def _place(run: RunReader, name: str) -> tuple[Head, int] | None:
    """Returns the series and the row that hold the distribution of a feature; None without one."""
    for head in [*heads(run, HISTOGRAMS), *heads(run, CLASSES)]:
        if name in head.names:
            return head, head.names.index(name)
    return None


def _over_time(table: Table, row: int, shown: np.ndarray) -> dict[str, Any]:
    """Returns the distributions of all streams at the steps `shown`, on common bins."""
    points = last_in_column(table.steps, shown)
    drawings = [Drawing(table.head, table.values[p], row) if p >= 0 else None for p in points]
    streams = table.head.streams
    if table.head.classes:
        picture = {
            stream: [_rounded_shares(d.shares(stream)) if d else None for d in drawings]
            for stream in streams
        }
        return {"classes": list(table.head.classes), "streams": picture}
    edges = common_edges([d for d in drawings if d], NUM_BINS)
    if edges is None:
        return {}
    picture = {stream: [_on_bins(d, stream, edges) for d in drawings] for stream in streams}
    return {"edges": [rounded(edge) for edge in edges], "streams": picture}


def _on_bins(drawing: Drawing | None, stream: str, edges: np.ndarray) -> list[float] | None:
    """Returns the shares of one stream on bins with the given edges; None if it has no shares."""
    if drawing is None or drawing.edges is None:
        return None
    shares = drawing.shares(stream)
    return None if shares is None else _rounded_shares(rebinned(drawing.edges, shares, edges))


def _scores(table: Table, row: int, shown: np.ndarray) -> dict[str, Any]:
    """Returns one feature's scores for one pair of streams at the steps `shown`."""
    points = last_in_column(table.steps, shown)
    values = table.values[points, row]
    flags = flags_of(values)
    exists = points >= 0

    def column(number: int) -> list[float | None]:
        return [rounded(v) if ok else None for v, ok in zip(values[:, number], exists, strict=True)]

    return {
        "stream": table.head.pair[0],
        "against": table.head.pair[1],
        "effect": column(EFFECT),
        "lower": column(LOWER),
        "upper": column(UPPER),
        "flags": [int(f) if ok else None for f, ok in zip(flags, exists, strict=True)],
    }


def _rounded_shares(shares: np.ndarray | None) -> list[float] | None:
    return None if shares is None else np.round(shares, 5).tolist()


def _max_columns(table: Table | None, pairs: int) -> int:
    """Returns how many columns fit into `MAX_FEATURE_BYTES`, at most `MAX_COLUMNS`.

    `pairs` is the number of pairs of streams that have scores.
    """
    bars = 0
    if table is not None:
        bars = len(table.head.streams) * max(NUM_BINS, len(table.head.classes))
    # As JSON, a share takes up to 9 bytes, the scores of a pair 45 and a step 20.
    return min(MAX_COLUMNS, MAX_FEATURE_BYTES // (9 * bars + 45 * pairs + 20))
