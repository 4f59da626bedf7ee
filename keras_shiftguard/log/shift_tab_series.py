"""The numbers behind the pictures of the Shift tab: scores, histograms, classes.

Each is a series of tensors, one a look, with a description that says what its rows are.
`tensorboard_plugin_shiftguard/reading.py` is its reader.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_shiftguard.detection.finding import NEGLIGIBLE, Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab_bins import (
    BINS,
    bars,
    class_counts,
    shared_bins,
    shares,
    shown_classes,
    tables,
)
from keras_shiftguard.profiles import FeatureTable, InputProfile
from keras_shiftguard.profiles.grid import BINS_PER_SIGN, GAMMA, SMALLEST

SCHEMA = 1
MOST_FEATURES = 1000  # of a pair; how many there were is told
MOST_SCALARS = 64  # features of a pair that the Scalars tab gets as well
GROUP = 16  # features whose histograms share an event
MOST_NAME = 200
FULL_SHARE = 32767  # a share of 1, as int16
OUTSIDE = 0.03  # of a stream beyond the picture, from which it is drawn anew
ALARM, EXPECTED, NEGLIGIBLE_EFFECT, TOLD = 1, 2, 4, 8


@dataclass
class Rows:
    """Names in parts: once written, the names of a part never change.

    TensorBoard keeps the first description of a series and ignores later ones,
    so what turns up later gets a part, that is a tag, of its own. For the same
    reason a tag ends in a digest of its description: a second fit in the same
    directory, with other names or in another order, has tags of its own.
    """

    size: int
    most: int
    parts: list[list[str]] = field(default_factory=list)

    def with_new(self, names: Collection[str]) -> list[list[str]]:
        """The parts, after adding the names that are new, as far as there is room."""
        known = {name for part in self.parts for name in part}
        new = [name for name in names if name not in known][: max(0, self.most - len(known))]
        self.parts += [new[i : i + self.size] for i in range(0, len(new), self.size)]
        return self.parts


class ShiftSeries:
    """Writes the numbers of each look.

    Args:
        writer: Where to.

    Attributes:
        tags: The series of this fit so far.
    """

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self.tags: list[str] = []
        self._streams: list[str] = []  # rows of every histogram
        self._scores: dict[tuple[str, str], Rows] = {}
        self._histograms = Rows(GROUP, MOST_FEATURES)
        self._edges: dict[str, np.ndarray] = {}
        self._classes: dict[str, np.ndarray] = {}

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, for `profiles.storage`."""
        edges = list(self._edges.values())
        return {
            "tags": self.tags,
            "streams": self._streams,
            "scores": [[*pair, rows.parts] for pair, rows in self._scores.items()],
            "histograms": self._histograms.parts,
            "names": list(self._edges),
            "edges": np.stack(edges) if edges else np.zeros((0, BINS + 1), "int16"),
            "classes": self._classes,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues the series where `state()` was taken."""
        self.tags = list(state["tags"])
        self._streams = list(state["streams"])
        self._scores = {
            (stream, against): Rows(MOST_FEATURES, MOST_FEATURES, [list(part) for part in parts])
            for stream, against, parts in state["scores"]
        }
        self._histograms.parts = [list(part) for part in state["histograms"]]
        self._edges = dict(zip(state["names"], state["edges"], strict=True))
        self._classes = dict(state["classes"])

    def write(self, step: int, pairs: Sequence[Pair], profiles: Mapping[str, InputProfile]) -> None:
        """Adds one look.

        Args:
            step: Epoch, counted from 0.
            pairs: What was compared, with every test.
            profiles: The latest pass of each stream.
        """
        # Reference and target are there from the start; validation may come late.
        self._streams = self._streams or list(dict.fromkeys(["train", "validation", *profiles]))
        for pair in pairs:
            self._write_scores(step, pair)
        self._write_histograms(step, profiles)
        self._write_classes(step, profiles)

    def _write_data(
        self, series: str, tensor: np.ndarray, step: int, content: Mapping[str, Any]
    ) -> None:
        # How many there are may change, and describes no row.
        described = json.dumps({**content, "total": 0}, sort_keys=True).encode()
        series = f"{series}-{hashlib.sha256(described).hexdigest()[:8]}"
        if series not in self.tags:
            self.tags.append(series)
        self._writer.write_data(f"shiftguard/{series}", tensor, step, content)

    def _write_scores(self, step: int, pair: Pair) -> None:
        tested = {finding.feature: finding for finding in pair.latest.tested}
        # What is certain needed no test, but has its place in the picture.
        tested |= {name: f for name, f in pair.findings.items() if name not in tested}
        key = (pair.stream, pair.against)
        if key not in self._scores:
            self._scores[key] = Rows(MOST_FEATURES, MOST_FEATURES)
        # Where not all have a place among the scalars, the worst come first; otherwise
        # the order is that of the data, and another fit goes on with the same series.
        crowded = len(tested) > MOST_SCALARS
        ordered = sorted(tested, key=lambda name: crowded and name not in pair.findings)
        both = (tables(pair.current), tables(pair.reference))
        for part, names in enumerate(self._scores[key].with_new(ordered)):
            rows = np.full((len(names), 9), np.nan, "float32")
            for row, name in zip(rows, names, strict=True):
                if name in tested:
                    row[:] = _score(tested[name], pair, both)
            content = {
                "v": SCHEMA,
                "pair": key,
                "names": [name[:MOST_NAME] for name in names],
                "negligible": NEGLIGIBLE,
                "total": len(tested),
            }
            title = f"{pair.stream}-{pair.against}".replace(" ", "-")
            self._write_data(f"scores/{title}/{part}", rows, step, content)
            for name, effect in zip(names[:MOST_SCALARS], rows[:, 0], strict=False):
                if part == 0 and np.isfinite(effect):
                    tag = f"shiftguard/score/{title}/{name[:MOST_NAME]}"
                    self._writer.write_scalar(tag, float(effect), step)

    def _write_histograms(self, step: int, profiles: Mapping[str, InputProfile]) -> None:
        found = {stream: tables(profile) for stream, profile in profiles.items()}
        rows: dict[str, dict[str, np.ndarray]] = {}  # counts by feature and stream
        for stream, sources in found.items():
            for source, table in sources.items():
                if table.counts.shape[1]:
                    for name, counts in zip(table.names, table.counts, strict=True):
                        rows.setdefault(f"{source}/{name}", {})[stream] = counts
        for group, names in enumerate(self._histograms.with_new(rows)):
            tensor = np.full((len(names), BINS + 1 + len(self._streams) * BINS), -1, "int16")
            for line, name in zip(tensor, names, strict=True):
                counted = rows.get(name, {})
                line[: BINS + 1] = edges = self._edges_for(name, list(counted.values()))
                for number, stream in enumerate(self._streams):
                    if stream in counted:
                        start = BINS + 1 + number * BINS
                        drawn = shares(counted[stream], edges)
                        line[start : start + BINS] = np.round(FULL_SHARE * drawn)
            content = {
                "v": SCHEMA,
                "names": [name[:MOST_NAME] for name in names],
                "streams": self._streams,
                "grid": {"smallest": SMALLEST, "gamma": GAMMA, "bins_per_sign": BINS_PER_SIGN},
                "bins": BINS,
            }
            self._write_data(f"histograms/{group}", tensor, step, content)

    def _edges_for(self, name: str, rows: list[np.ndarray]) -> np.ndarray:
        """The same from look to look, for as long as nearly all of it is inside."""
        kept = self._edges.get(name)
        if not rows:
            return np.zeros(BINS + 1, "int16") if kept is None else kept
        if kept is None or any(shares(row, kept).sum() < 1 - OUTSIDE for row in rows):
            kept = self._edges[name] = shared_bins(rows)
        return kept

    def _write_classes(self, step: int, profiles: Mapping[str, InputProfile]) -> None:
        found = {stream: class_counts(profile) for stream, profile in profiles.items()}
        for name in dict.fromkeys(name for counts in found.values() for name in counts):
            counted = {s: counts[name] for s, counts in found.items() if name in counts}
            if name not in self._classes:
                self._classes[name] = shown_classes(counted)
            classes = self._classes[name]
            tensor = np.full((len(self._streams), len(classes) + 1), np.nan, "float32")
            for stream, counts in counted.items():
                if stream in self._streams and len(counts) > classes.max(initial=-1):
                    tensor[self._streams.index(stream)] = bars(counts, classes)
            content = {
                "v": SCHEMA,
                "name": name[:MOST_NAME],
                "classes": [*map(str, classes.tolist()), "other"],
                "streams": self._streams,
            }
            number = list(self._classes).index(name)
            self._write_data(f"classes/{number}", tensor, step, content)


def _score(
    tested: Finding,
    pair: Pair,
    both: tuple[dict[str, FeatureTable], dict[str, FeatureTable]],
) -> list[float]:
    """One row: effect and interval, log10 p, flags, mean and deviation of both."""
    name = tested.feature
    found = pair.findings.get(name, tested)
    expected = found.expected or name in pair.expected
    alarm = (name in pair.findings or name in pair.significant) and found.matters
    flags = ALARM * (alarm and not expected)
    flags += EXPECTED * expected + NEGLIGIBLE_EFFECT * found.negligible
    flags += TOLD * (name in pair.findings)  # has a sentence of its own in the report
    moments = []
    for sources in both:
        values = [np.nan, np.nan]
        for source, table in sources.items():
            column = name.removeprefix(f"{source}/")
            if column != name and column in table.names:
                values = [table.mean(column), table.std(column)]
        moments += values
    low, high = tested.interval
    return [tested.effect_size, low, high, float(np.log10(tested.p_value)), flags, *moments]
