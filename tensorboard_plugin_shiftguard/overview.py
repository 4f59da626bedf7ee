"""The answer to `/overview`: the state of a run, and the effect size of each feature by step."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard.answers import (
    MAX_BYTES,
    NotHere,
    Unreadable,
    fitting,
    rounded,
    to_json,
)
from tensorboard_plugin_shiftguard.columns import MAX_COLUMNS, column_of, columns
from tensorboard_plugin_shiftguard.gap import latest_gap
from tensorboard_plugin_shiftguard.metadata import (
    ALARM,
    CLASSES,
    COST,
    CURRENT,
    EFFECT,
    EVENTS_TAG,
    EXPECTED,
    GAP_TAG,
    HISTOGRAMS,
    LOG10_P,
    LOWER,
    MAX_FEATURES,
    NEGLIGIBLE,
    REFERENCE,
    REPORTED,
    SCORES,
    STATE_TAG,
    UPPER,
)
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.statements import latest_events, latest_state, state_at
from tensorboard_plugin_shiftguard.story import story
from tensorboard_plugin_shiftguard.tables import Head, Table, flags_of, heads, tables
from tensorboard_plugin_shiftguard.words import CAUSES, described

MAX_FEATURE_BYTES = 450_000  # of the list of features as JSON
UNKNOWN_EFFECT = -32768  # stands for an unknown effect size in the packed effects
DEFAULT_PAIR = ("validation", "train")
NO_INPUTS = {"labels", "outputs", "predictions", "augmentation"}  # as the source of a feature
MAX_PRICED = 64  # features whose costs are sent
MAX_COST_BYTES = 100_000  # of these costs as JSON
# Bytes of one feature at one step: two for the effect and half a byte for the flags, as base64.
CELL_BYTES = 2.5 * 4 / 3


def overview(run: RunReader, chosen: int | None = None) -> dict[str, Any]:
    """Returns what the tab shows of a run before a feature is chosen.

    Args:
        run: The run.
        chosen: Index of the pair of streams. Defaults to the pair with the most
            features that have an alarm and whose effect is still large enough to matter.

    Raises:
        NotHere: If there is no such pair, or no data so far.
        Unreadable: If no data of the run can be used.
    """
    pairs = pairs_of(run)
    last = tables(run, [head for series in pairs.values() for head in series], max_points=1)
    alarms = [sum(_alarms(last.get(head.tag)) for head in series) for series in pairs.values()]
    shifted = [sum(_shifted(last.get(head.tag)) for head in series) for series in pairs.values()]
    index = _choose(list(pairs), shifted, chosen)
    # A whole series is read only if its last point is usable. All tags are read in one request.
    usable = [head for head in list(pairs.values())[index] if head.tag in last] if pairs else []
    run.points([STATE_TAG, EVENTS_TAG, *(head.tag for head in usable)])
    state, points = latest_state(run)
    found = list(tables(run, usable).values())
    rows, num_measured = _rows(found)
    events = latest_events(run)
    # A run may hold a gap table alone: `explain_gap` needs no training.
    if not (state or rows or events or GAP_TAG in run.contents):
        if run.problems:
            raise Unreadable(" ".join(["Nothing of this run can be read.", *run.problems[:3]]))
        raise NotHere("There is no data in this run yet.")

    rows = sorted(rows, key=_severity)[:MAX_FEATURES]
    kinds = kinds_of(run)
    inputs = len({row.name.split("/")[0] for row in rows} - NO_INPUTS) or 1
    entries = fitting([row.entry(kinds, inputs) for row in rows], MAX_FEATURE_BYTES)
    rows = rows[: len(entries)]
    answer = {
        "run": run.name,
        "state": state,
        "story": story(state, latest_gap(run)),
        "causes": {key: cause._asdict() for key, cause in CAUSES.items()},
        "updated": points[-1].wall if points else None,
        # A diagnosis before the first comparison also writes a point, so there may be more points
        # than comparisons.
        "kept": min(len(points), (state or {}).get("looks") or len(points)),
        "looks": state["looks"] if state else None,
        "pairs": [
            {"stream": stream, "against": against, "alarms": number}
            for (stream, against), number in zip(pairs, alarms, strict=True)
        ],
        "pair": index if pairs else None,
        "features": entries,
        "omitted": max(num_measured - len(entries), 0),
        "threshold": found[0].head.negligible if found else 0.1,
        "events": events,
        "problems": run.problems,
    }
    # 20,000 bytes are kept for the list of steps.
    priced = any(np.isfinite(table.values[..., COST]).any() for table in found)
    room = MAX_BYTES - 20_000 - MAX_COST_BYTES * priced - len(to_json(answer))
    max_columns = int(room / CELL_BYTES / max(len(rows), 1))
    shown = columns([table.steps for table in found], min(max_columns, MAX_COLUMNS))
    return answer | _matrix(rows, found, shown) | {"costs": _costs(rows, shown)}


def story_at(run: RunReader, step: int) -> dict[str, Any]:
    """Returns the story of a run as it was known at a step: the answer to `/story`."""
    return {"story": story(state_at(run, step), latest_gap(run)), "problems": run.problems}


def pairs_of(run: RunReader) -> dict[tuple[str, str], list[Head]]:
    """Returns the pairs of streams, each with the descriptions of its score series."""
    pairs: dict[tuple[str, str], list[Head]] = {}
    for head in heads(run, SCORES):
        pairs.setdefault(head.pair, []).append(head)
    return pairs


def _choose(pairs: list[tuple[str, str]], shifted: list[int], chosen: int | None) -> int:
    """Returns the index of the pair to show: by default the one with the most shifted features."""
    if chosen is None:
        numbers = range(len(pairs))
        return max(numbers, key=lambda i: (shifted[i], pairs[i] == DEFAULT_PAIR, -i), default=0)
    if chosen >= len(pairs):
        raise NotHere(f"This run has no pair of streams number {chosen}.")
    return chosen


def _alarms(table: Table | None) -> int:
    """Returns the number of findings with an alarm at the last step."""
    return 0 if table is None else int(np.count_nonzero(_alarming(table.values[-1])))


def _alarming(values: np.ndarray) -> np.ndarray:
    """Returns which scores `(..., columns)` are a reported alarm, which has no stronger cause."""
    return (flags_of(values) & (ALARM | REPORTED)) == (ALARM | REPORTED)


def _shifted(table: Table | None) -> int:
    """Returns the number of findings with an alarm whose effect at the last step is not small."""
    if table is None:
        return 0
    last = table.values[-1]
    is_small = np.abs(last[:, EFFECT]) < table.head.negligible
    return int(np.count_nonzero(_alarming(last) & ~is_small))


class _Row:
    """One feature of the chosen pair of streams: a row of one of its tables."""

    def __init__(self, table: Table, row: int) -> None:
        self.table, self.row = table, row
        self.name = table.head.names[row]
        self.last = table.values[-1, row]
        self.flags = int(flags_of(self.last))

    def entry(self, kinds: Mapping[str, str], inputs: int) -> dict[str, Any]:
        """Returns the feature as JSON; see `kinds_of` and `described` for the arguments."""
        alarms = _alarming(self.table.values[:, self.row])
        cause, label = described(self.name, inputs)
        return {
            "name": self.name,
            "label": label,
            "cause": None if cause == self.name else cause,
            "kind": kinds.get(self.name, "score"),
            "effect": rounded(self.last[EFFECT]),
            "lower": rounded(self.last[LOWER]),
            "upper": rounded(self.last[UPPER]),
            "log10_p": rounded(self.last[LOG10_P]),
            "alarm": bool(self.flags & ALARM and self.flags & REPORTED),
            "flags": self.flags,
            "expected": bool(self.flags & EXPECTED),
            "negligible": bool(self.flags & NEGLIGIBLE),
            "current": [rounded(value) for value in self.last[CURRENT]],
            "reference": [rounded(value) for value in self.last[REFERENCE]],
            # Epochs are counted from 1.
            "since": int(self.table.steps[alarms.argmax()]) + 1 if alarms.any() else None,
        }


def _rows(found: list[Table]) -> tuple[list[_Row], int]:
    """Returns one row for each feature, and the number of measured features.

    More features may be measured than the log holds.
    """
    rows: dict[str, _Row] = {}
    for table in found:
        for number, name in enumerate(table.head.names):
            rows.setdefault(name, _Row(table, number))
    return list(rows.values()), max([len(rows), *(table.head.total for table in found)])


def _severity(row: _Row) -> tuple[bool, bool, bool, float]:
    """Returns a sort key.

    Alarms come first, reported ones before others; then features whose shift is neither
    expected nor negligible; then large effects. Unknown effects come last.
    """
    size = abs(float(row.last[EFFECT]))
    alarm, is_minor = row.flags & ALARM, bool(row.flags & (EXPECTED | NEGLIGIBLE))
    reported = row.flags & REPORTED
    return not alarm, not (alarm and reported), is_minor, -size if size == size else 1.0


def _costs(rows: list[_Row], shown: np.ndarray) -> dict[str, list[float | None]]:
    """Returns the costs of the features that ever had one, at the steps `shown`, by name."""
    found: list[tuple[str, list[float | None]]] = []
    for row in rows:
        costs = row.table.values[:, row.row, COST]
        if len(found) == MAX_PRICED or not np.isfinite(costs).any():
            continue
        line = np.full(len(shown), np.nan, np.float32)
        line[column_of(row.table.steps, shown)] = costs
        found.append((row.name, [None if cost != cost else round(float(cost), 3) for cost in line]))
    return dict(fitting(found, MAX_COST_BYTES))


def kinds_of(run: RunReader) -> dict[str, str]:
    """Returns `"number"` or `"classes"` for each feature whose distribution is stored."""
    kinds: dict[str, str] = {}
    for kind, word in ((HISTOGRAMS, "number"), (CLASSES, "classes")):
        for head in heads(run, kind):
            for name in head.names:
                kinds.setdefault(name, word)
    return kinds


def _matrix(rows: list[_Row], found: list[Table], shown: np.ndarray) -> dict[str, Any]:
    """Returns effects and flags of all features at the steps `shown`, packed as base64.

    An effect is an int16, in hundredths.
    """
    by_tag = {}
    for table in found:
        shape = (len(table.head.names), len(shown))
        effects, flags = np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8)
        flags_by_point = flags_of(table.values)
        for point, column in enumerate(column_of(table.steps, shown)):
            effects[:, column] = table.values[point, :, EFFECT]
            # A column keeps the alarms of all its points.
            flags[:, column] = flags_by_point[point] | (flags[:, column] & ALARM)
        by_tag[table.head.tag] = effects, flags
    picked = [(by_tag[row.table.head.tag], row.row) for row in rows]
    effect = np.array([effects[row] for (effects, _), row in picked], np.float32).ravel()
    flag = np.array([flags[row] for (_, flags), row in picked], np.uint8).ravel()
    hundredths = np.nan_to_num(np.clip(effect, -327.67, 327.67) * 100).round().astype("<i2")
    hundredths[np.isnan(effect)] = UNKNOWN_EFFECT
    flag = np.append(flag, np.zeros(len(flag) % 2, np.uint8))
    return {
        "steps": shown.tolist(),
        "effects": base64.b64encode(hundredths.tobytes()).decode(),
        # A byte holds the flags of two cells, the first in its lower half.
        "flags": base64.b64encode((flag[::2] | flag[1::2] << 4).tobytes()).decode(),
    }
