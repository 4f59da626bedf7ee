"""The response of `/feature`: the distributions of one feature at many steps."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard.answers import NotHere, Unreadable, rounded
from tensorboard_plugin_shiftguard.bins import Drawing, common_edges, rebinned
from tensorboard_plugin_shiftguard.columns import MAX_COLUMNS, even
from tensorboard_plugin_shiftguard.metadata import CLASSES, HISTOGRAMS
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.tables import Head, heads, tables

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
    head, row = where
    table = found[head.tag]
    # As JSON, a share takes up to 9 bytes and a step 20.
    step_bytes = 9 * len(head.streams) * max(NUM_BINS, len(head.classes)) + 20
    chosen = even(len(table.steps), min(MAX_COLUMNS, MAX_FEATURE_BYTES // step_bytes))
    drawn = _over_time([Drawing(head, table.values[point], row) for point in chosen], head)
    return {"name": name, "steps": table.steps[chosen].tolist(), "problems": run.problems, **drawn}


def _place(run: RunReader, name: str) -> tuple[Head, int] | None:
    """Returns the series and the row that hold the distribution of a feature; None without one."""
    for head in [*heads(run, HISTOGRAMS), *heads(run, CLASSES)]:
        if name in head.names:
            return head, head.names.index(name)
    return None


def _over_time(drawings: list[Drawing], head: Head) -> dict[str, Any]:
    """Returns the distributions of all streams, on common bins or classes."""
    edges = common_edges(drawings, NUM_BINS)
    if edges is None and not head.classes:
        return {"streams": {}}
    bars = {stream: [_bars(each, stream, edges) for each in drawings] for stream in head.streams}
    if edges is None:
        return {"classes": list(head.classes), "streams": bars}
    return {"edges": [rounded(edge) for edge in edges], "streams": bars}


def _bars(drawing: Drawing, stream: str, edges: np.ndarray | None) -> list[float] | None:
    """Returns the shares of one stream on bins with the given edges; None if it has no shares."""
    shares = drawing.shares(stream)
    if shares is None:
        return None
    if edges is not None and drawing.edges is not None:
        shares = rebinned(drawing.edges, shares, edges)
    return np.round(shares, 5).tolist()
