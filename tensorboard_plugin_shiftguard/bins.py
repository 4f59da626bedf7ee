"""Distributions as bars: read from a tensor, and moved to other bins."""

from collections.abc import Iterable

import numpy as np

from tensorboard_plugin_shiftguard.tables import SHARE_SCALE, Head

# What is shown of each distribution; the outermost hundredth on either side
# may reach far, and would make the rest too narrow to see.
TAIL = 0.01


class Drawing:
    """One feature at one step: the bars of all streams on common bins.

    Args:
        head: What the tag says.
        values: One point of it, of the promised type and shape.
        row: Which feature.
    """

    def __init__(self, head: Head, values: np.ndarray, row: int) -> None:
        self._head = head
        self.edges: np.ndarray | None = None
        if head.edges is None:
            self._bars = values.astype(np.float64)
            return
        bins = head.bins
        self._bars = values[row, bins + 1 :].reshape(len(head.streams), bins).astype(np.float64)
        places = values[row, : bins + 1].astype(np.int64)
        # Of edges that do not ascend, or lie outside, no picture can be drawn.
        good = places.min() >= 0 and places.max() < len(head.edges) and (np.diff(places) >= 0).all()
        used = np.diff(places) > 0
        if not good or not used.any():
            self._bars = np.full_like(self._bars, -1)
            self.edges = np.zeros(0)
            return
        self._bars = self._bars[:, used]
        self.edges = head.edges[np.append(places[:-1][used], places[-1])]

    @property
    def streams(self) -> tuple[str, ...]:
        """Whose bars there are, or may be."""
        return self._head.streams

    @property
    def unusable(self) -> bool:
        """Whether there are no bins to draw on."""
        return self.edges is not None and len(self.edges) == 0

    def shares(self, stream: str) -> np.ndarray | None:
        """Shares of a stream's samples, at most 1 together; None if it isn't there."""
        row = self._head.stream(stream)
        if row is None:
            return None
        bars = self._bars[row]
        if self.edges is None:
            total = np.nansum(bars)
            return np.nan_to_num(bars) / total if total > 0 else None
        if len(bars) == 0 or (bars < 0).any():
            return None
        return bars / max(float(bars.sum()), float(SHARE_SCALE))


def rebinned(edges: np.ndarray, shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Shares on other bins; within a bin they are spread evenly.

    Args:
        edges: `(b + 1,)`, ascending.
        shares: `(b,)`.
        wanted: `(c + 1,)`, ascending. What lies outside is lost.

    Returns:
        `(c,)`.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(shares)])
    return np.maximum(np.diff(np.interp(wanted, edges, cumulative)), 0.0)


def common_edges(drawings: Iterable[Drawing], bins: int) -> np.ndarray | None:
    """Bins of equal width over the middle of every distribution.

    Returns:
        `(bins + 1,)`; None if there is no distribution.
    """
    lows, highs = [], []
    for drawing in drawings:
        edges = drawing.edges
        if edges is None or len(edges) == 0:
            continue
        for stream in drawing.streams:
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
