"""The response of `/feature`: the distributions of one feature at many steps."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard.answers import NotHere, Unreadable, rounded
from tensorboard_plugin_shiftguard.bins import Drawing, common_edges, rebinned
from tensorboard_plugin_shiftguard.columns import MAX_COLUMNS, columns, last_in_column
from tensorboard_plugin_shiftguard.metadata import CLASSES, HISTOGRAMS
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.tables import Head, Table, heads, tables

NUM_BINS = 40  # of each distribution
MAX_FEATURE_BYTES = 850_000  # of the answer as JSON


def feature(run: RunReader, name: str) -> dict[str, Any]:
    """Returns the distributions of one feature, at up to 250 steps.

    Raises:
        NotHere: If the run has no distributions of such a feature.
        Unreadable: If no data of the feature can be used, or if the feature is not found and some
            tags of the run cannot be read.
    """
    where = _place(run, name)
    found = tables(run, [where[0]]) if where else {}
    if where is None and not run.problems:
        raise NotHere(f"This run has no distributions of {name!r}.")
    if where is None or not found:
        raise Unreadable(" ".join(["This feature cannot be read.", *run.problems[:3]]))
    table = found[where[0].tag]
    bars = len(table.head.streams) * max(NUM_BINS, len(table.head.classes))
    # As JSON, a share takes up to 9 bytes and a step 20.
    shown = columns([table.steps], min(MAX_COLUMNS, MAX_FEATURE_BYTES // (9 * bars + 20)))
    drawn = _over_time(table, where[1], shown)
    return {"name": name, "steps": shown.tolist(), "streams": {}, "problems": run.problems} | drawn


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


def _rounded_shares(shares: np.ndarray | None) -> list[float] | None:
    return None if shares is None else np.round(shares, 5).tolist()
