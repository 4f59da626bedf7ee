"""The bars of histograms and class counts, read from a tensor and moved to other bins."""

from collections.abc import Iterable

import numpy as np

from tensorboard_plugin_shiftguard.metadata import SHARE_SCALE
from tensorboard_plugin_shiftguard.tables import Head

# The chart leaves out this share of the samples at either end of a distribution. With extreme
# values, the other bars would be too narrow to see.
TAIL = 0.01


class Drawing:
    """The bars of one feature at one step. All streams have the same bins.

    Args:
        head: The description of the series.
        values: One point of the series, of the type and shape that follow from `head`.
        row: The index of the feature in the series.

    Attributes:
        edges: The edges of the bins, `(b + 1,)`, ascending. None for class counts;
            empty if the edges in the log are unusable.
    """

    def __init__(self, head: Head, values: np.ndarray, row: int) -> None:
        self.head = head
        self.edges: np.ndarray | None = None
        if head.edges is None:
            self._bars = values.astype(np.float64)
            return
        # A row holds the edges, as indices into `head.edges`, and the bars of each stream.
        bins, grid_size = head.bins, len(head.edges)
        self._bars = values[row, bins + 1 :].reshape(len(head.streams), bins).astype(np.float64)
        places = values[row, : bins + 1].astype(np.int64)
        # Edges that do not ascend, or that lie outside the grid, are unusable.
        usable = places.min() >= 0 and places.max() < grid_size and (np.diff(places) >= 0).all()
        has_width = np.diff(places) > 0
        if not usable or not has_width.any():
            self._bars = np.full_like(self._bars, -1)
            self.edges = np.zeros(0)
            return
        self._bars = self._bars[:, has_width]
        self.edges = head.edges[np.append(places[:-1][has_width], places[-1])]

    def shares(self, stream: str) -> np.ndarray | None:
        """Returns the share of a stream's samples in each bin or class, `(b,)`.

        None if the stream has no samples at this step, or its bars are unusable.
        """
        bars = self._bars[self.head.streams.index(stream)]
        if self.edges is None:
            total = np.nansum(bars)
            return np.nan_to_num(bars) / total if total > 0 else None
        if len(bars) == 0 or (bars < 0).any():  # -1 marks a stream without samples
            return None
        # Rounding can make the sum of the bars slightly larger than `SHARE_SCALE`.
        return bars / max(float(bars.sum()), float(SHARE_SCALE))


def rebinned(edges: np.ndarray, shares: np.ndarray, new_edges: np.ndarray) -> np.ndarray:
    """Returns a distribution on other bins, as if samples were spread evenly within a bin.

    Args:
        edges: The old edges, `(b + 1,)`, ascending.
        shares: The share of samples in each old bin, `(b,)`.
        new_edges: The new edges, `(c + 1,)`, ascending. Samples beyond these edges are left out.

    Returns:
        The share of samples in each new bin, `(c,)`.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(shares)])
    return np.maximum(np.diff(np.interp(new_edges, edges, cumulative)), 0.0)


def common_edges(drawings: Iterable[Drawing], bins: int) -> np.ndarray | None:
    """Returns edges of equally wide bins that cover every distribution except its tails.

    Args:
        drawings: The distributions; class counts are ignored.
        bins: The number of bins.

    Returns:
        `(bins + 1,)`, ascending; None if there is no distribution.
    """
    lows, highs = [], []
    for drawing in drawings:
        edges = drawing.edges
        if edges is None or len(edges) == 0:
            continue
        for stream in drawing.head.streams:
            shares = drawing.shares(stream)
            if shares is not None and shares.sum() > 0:
                cumulative = np.concatenate([[0.0], np.cumsum(shares)]) / shares.sum()
                low, high = np.interp([TAIL, 1 - TAIL], cumulative, edges)
                lows.append(low)
                highs.append(high)
    if not lows:
        return None
    low, high = min(lows), max(highs)
    if not high > low:
        high = np.nextafter(low, np.inf)
    return np.linspace(low, high, bins + 1)
