"""One run at a glance: how it stands, and the effect of every feature at every step."""

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
from tensorboard_plugin_shiftguard.gap import GAP_TAG
from tensorboard_plugin_shiftguard.run_log import RunLog
from tensorboard_plugin_shiftguard.statements import (
    EVENTS_TAG,
    STATE_TAG,
    latest_events,
    latest_state,
)
from tensorboard_plugin_shiftguard.tables import (
    ALARM,
    CURRENT,
    EFFECT,
    EXPECTED,
    LOG10_P,
    LOWER,
    NEGLIGIBLE,
    REFERENCE,
    TOLD,
    UPPER,
    Head,
    Table,
    flags_of,
    heads,
    tables,
)

MAX_FEATURES = 1000
MAX_FEATURE_BYTES = 450_000
UNKNOWN_EFFECT = -32768
USUAL_PAIR = ("validation", "train")
# Bytes of a cell, effect and flags, as base64.
CELL_BYTES = 2.5 * 4 / 3


def overview(run: RunLog, chosen: int | None = None) -> dict[str, Any]:
    """What the tab shows first of a run.

    Args:
        run: Which.
        chosen: Index of the pair of streams; by default the one with the most
            alarms that still stand.

    Raises:
        NotHere: If there is no such pair, or no data yet.
        Unreadable: If nothing of the run can be used.
    """
    pairs = pairs_of(run)
    last = tables(run, [head for heads in pairs.values() for head in heads], most=1)
    alarms = [sum(_alarms(last.get(head.tag)) for head in heads) for heads in pairs.values()]
    present = [sum(_still_there(last.get(head.tag)) for head in heads) for heads in pairs.values()]
    index = _choose(list(pairs), present, chosen)
    # The whole series only of tags whose last point is in order.
    here = [head for head in list(pairs.values())[index] if head.tag in last] if pairs else []
    run.points([STATE_TAG, EVENTS_TAG, *(head.tag for head in here)])
    state, points = latest_state(run)
    found = list(tables(run, here).values())
    rows, measured = _rows(found)
    events = latest_events(run)
    # An accuracy may have been explained where nothing was ever fitted.
    if not (state or rows or events or GAP_TAG in run.contents):
        if run.problems:
            raise Unreadable(" ".join(["Nothing of this run can be read.", *run.problems[:3]]))
        raise NotHere("There is no data in this run yet.")

    rows = sorted(rows, key=_severity)[:MAX_FEATURES]
    kinds = kinds_of(run)
    entries = fitting([row.entry(kinds) for row in rows], MAX_FEATURE_BYTES)
    rows = rows[: len(entries)]
    answer = {
        "run": run.name,
        "state": state,
        "updated": points[-1].wall if points else None,
        # A diagnosis before the first look is a point, too, but no look.
        "kept": min(len(points), (state or {}).get("looks") or len(points)),
        "looks": state["looks"] if state else None,
        "pairs": [
            {"stream": stream, "against": against, "alarms": number}
            for (stream, against), number in zip(pairs, alarms, strict=True)
        ],
        "pair": index if pairs else None,
        "features": entries,
        "omitted": max(measured - len(entries), 0),
        "threshold": found[0].head.negligible if found else 0.1,
        "events": events,
        "problems": run.problems,
    }
    room = MAX_BYTES - 20_000 - len(to_json(answer))
    most = int(room / CELL_BYTES / max(len(rows), 1))
    shown = columns([table.steps for table in found], min(most, MAX_COLUMNS))
    return answer | _matrix(rows, found, shown)


def pairs_of(run: RunLog) -> dict[tuple[str, str], list[Head]]:
    """The pairs of streams, each with its tags, of which it may have several."""
    pairs: dict[tuple[str, str], list[Head]] = {}
    for head in heads(run, "scores"):
        pairs.setdefault(head.pair, []).append(head)
    return pairs


def _choose(pairs: list[tuple[str, str]], present: list[int], chosen: int | None) -> int:
    """Which pair is shown: by default the one with the most shifts that are still there."""
    if chosen is None:
        numbers = range(len(pairs))
        return max(numbers, key=lambda i: (present[i], pairs[i] == USUAL_PAIR, -i), default=0)
    if chosen >= len(pairs):
        raise NotHere(f"This run has no pair of streams number {chosen}.")
    return chosen


def _alarms(table: Table | None) -> int:
    """Features with an alarm at the last look."""
    return 0 if table is None else int(np.count_nonzero(flags_of(table.values[-1]) & ALARM))


def _still_there(table: Table | None) -> int:
    """Features with an alarm whose effect has not gone away since it was raised."""
    if table is None:
        return 0
    last = table.values[-1]
    small = np.abs(last[:, EFFECT]) < table.head.negligible
    return int(np.count_nonzero((flags_of(last) & ALARM > 0) & ~small))


class _Row:
    """One feature of the chosen pair: a row of one of its tables."""

    def __init__(self, table: Table, row: int) -> None:
        self.table, self.row = table, row
        self.name = table.head.names[row]
        self.last = table.values[-1, row]
        self.flags = int(flags_of(self.last))

    def entry(self, kinds: Mapping[str, str]) -> dict[str, Any]:
        alarms = flags_of(self.table.values[:, self.row]) & ALARM
        return {
            "name": self.name,
            "kind": kinds.get(self.name, "score"),
            "effect": rounded(self.last[EFFECT]),
            "lower": rounded(self.last[LOWER]),
            "upper": rounded(self.last[UPPER]),
            "log10_p": rounded(self.last[LOG10_P]),
            "alarm": bool(self.flags & ALARM),
            "expected": bool(self.flags & EXPECTED),
            "negligible": bool(self.flags & NEGLIGIBLE),
            "current": [rounded(value) for value in self.last[CURRENT]],
            "reference": [rounded(value) for value in self.last[REFERENCE]],
            # Epochs are counted from 1.
            "since": int(self.table.steps[alarms.argmax()]) + 1 if alarms.any() else None,
        }


def _rows(found: list[Table]) -> tuple[list[_Row], int]:
    """Every feature once, and how many were measured."""
    rows: dict[str, _Row] = {}
    for table in found:
        for number, name in enumerate(table.head.names):
            rows.setdefault(name, _Row(table, number))
    return list(rows.values()), max([len(rows), *(table.head.total for table in found)])


def _severity(row: _Row) -> tuple[bool, bool, bool, float]:
    """Sorts alarms first, of these what the report tells; then what matters; then by size."""
    size = abs(float(row.last[EFFECT]))
    alarm, meant = row.flags & ALARM, row.flags & (EXPECTED | NEGLIGIBLE)
    told = row.flags & TOLD
    return not alarm, not (alarm and told), bool(meant), -size if size == size else 1.0


def kinds_of(run: RunLog) -> dict[str, str]:
    """How the distribution of each feature is stored, if it is."""
    kinds: dict[str, str] = {}
    for kind, word in (("histograms", "number"), ("classes", "classes")):
        for head in heads(run, kind):
            for name in head.names:
                kinds.setdefault(name, word)
    return kinds


def _matrix(rows: list[_Row], found: list[Table], shown: np.ndarray) -> dict[str, Any]:
    """Effects and flags of all features at the chosen steps, packed."""
    by_tag = {}
    for table in found:
        shape = (len(table.head.names), len(shown))
        effects, flags = np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8)
        every_flag = flags_of(table.values)
        for point, column in enumerate(column_of(table.steps, shown)):
            effects[:, column] = table.values[point, :, EFFECT]
            # An alarm between two columns is not lost.
            flags[:, column] = every_flag[point] | (flags[:, column] & ALARM)
        by_tag[table.head.tag] = effects, flags
    pick = [(by_tag[row.table.head.tag], row.row) for row in rows]
    effect = np.array([both[0][row] for both, row in pick], np.float32).ravel()
    flag = np.array([both[1][row] for both, row in pick], np.uint8).ravel()
    whole = np.nan_to_num(np.clip(effect, -327.67, 327.67) * 100).round().astype("<i2")
    whole[np.isnan(effect)] = UNKNOWN_EFFECT
    flag = np.append(flag, np.zeros(len(flag) % 2, np.uint8))
    return {
        "steps": shown.tolist(),
        "effects": base64.b64encode(whole.tobytes()).decode(),
        # Two cells a byte, the first in the lower half.
        "flags": base64.b64encode((flag[::2] | flag[1::2] << 4).tobytes()).decode(),
    }
