"""The response of `/overview`: the state of a run, and the effect size of each feature by step."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard.answers import (
    MAX_BYTES,
    NotHere,
    Unreadable,
    fitting,
    to_json,
)
from tensorboard_plugin_shiftguard.columns import MAX_COLUMNS, columns
from tensorboard_plugin_shiftguard.feature_rows import (
    MAX_COST_BYTES,
    alarming,
    costs_of,
    matrix_of,
    rows_of,
    severity,
)
from tensorboard_plugin_shiftguard.gap import latest_gap
from tensorboard_plugin_shiftguard.metadata import (
    CLASSES,
    COST,
    GAP_TAG,
    HISTOGRAMS,
    MAX_FEATURES,
    SCORES,
    STATE_TAG,
)
from tensorboard_plugin_shiftguard.pictures import epochs_of
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.statements import latest_state
from tensorboard_plugin_shiftguard.tables import Head, heads, tables
from tensorboard_plugin_shiftguard.verdict import shown_verdict
from tensorboard_plugin_shiftguard.words import CAUSES, count_inputs

MAX_FEATURE_BYTES = 450_000  # of the list of features as JSON
DEFAULT_PAIR = ("validation", "train")
# Bytes of one feature at one step: two for the effect and half a byte for the flags, as base64.
CELL_BYTES = 2.5 * 4 / 3


def overview(run: RunReader, chosen: int | None = None) -> dict[str, Any]:
    """Returns what the tab shows of a run before a feature is chosen.

    Args:
        run: The run.
        chosen: Index of the pair of streams. Defaults to the pair that the verdict is about or, if
            there is none, to the pair with the most alarms.

    Raises:
        NotHere: If there is no such pair, or no data so far.
        Unreadable: If no data of the run can be used.
    """
    pairs = pairs_of(run)
    last = tables(run, [head for series in pairs.values() for head in series], max_points=1)
    alarms = [
        sum(int(alarming(last[head.tag].values[-1]).sum()) for head in series if head.tag in last)
        for series in pairs.values()
    ]
    state, points = latest_state(run)
    verdict = shown_verdict(state, latest_gap(run), points[-1].wall if points else None)
    index = _choose(list(pairs), alarms, chosen, verdict["pair"])
    # A whole series is read only if its last point is usable. All tags are read in one request.
    usable = [head for head in list(pairs.values())[index] if head.tag in last] if pairs else []
    run.points([STATE_TAG, *(head.tag for head in usable)])
    found = list(tables(run, usable).values())
    rows, num_measured = rows_of(found)
    # A run may hold a gap table alone: `explain_gap` needs no training.
    if not (state or rows or GAP_TAG in run.contents):
        if run.problems:
            raise Unreadable(" ".join(["Nothing of this run can be read.", *run.problems[:3]]))
        raise NotHere("There is no data in this run yet.")

    rows = sorted(rows, key=severity)[:MAX_FEATURES]
    kinds = kinds_of(run)
    inputs = count_inputs(row.name for row in rows)
    latest = _findings(state, list(pairs)[index] if pairs else None)
    names = (state or {}).get("columns")
    every = [row.entry(kinds, inputs, names, latest.get(row.name)) for row in rows]
    entries = fitting(every, MAX_FEATURE_BYTES)
    rows = rows[: len(entries)]
    answer = {
        "run": run.name,
        "state": state,
        "verdict": verdict,
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
        "pictures": [each["epoch"] for each in epochs_of(run)],
        "problems": run.problems,
    }
    # 20,000 bytes are reserved for the list of steps.
    priced = any(np.isfinite(table.values[..., COST]).any() for table in found)
    room = MAX_BYTES - 20_000 - MAX_COST_BYTES * priced - len(to_json(answer))
    max_columns = int(room / CELL_BYTES / max(len(rows), 1))
    shown = columns([table.steps for table in found], min(max_columns, MAX_COLUMNS))
    return answer | matrix_of(rows, found, shown) | {"costs": costs_of(rows, shown)}


def _findings(
    state: Mapping[str, Any] | None, pair: tuple[str, str] | None
) -> dict[str, Mapping[str, Any]]:
    """Returns the findings of a pair of streams in the latest report, by feature."""
    found = ((state or {}).get("report") or {}).get("findings") or []
    return {f["feature"]: f for f in found if (f["stream"], f["against"]) == pair and f["feature"]}


def pairs_of(run: RunReader) -> dict[tuple[str, str], list[Head]]:
    """Returns the pairs of streams, each with the descriptions of its score series."""
    pairs: dict[tuple[str, str], list[Head]] = {}
    for head in heads(run, SCORES):
        pairs.setdefault(head.pair, []).append(head)
    return pairs


def _choose(
    pairs: list[tuple[str, str]], alarms: list[int], chosen: int | None, told: str | None
) -> int:
    """Returns the index of the pair to show.

    `alarms` is the number of alarms of each pair, `chosen` is the index that the user chose, and
    `told` is the pair that the verdict is about, as "validation/train".
    """
    if chosen is None:
        about = [f"{stream}/{against}" for stream, against in pairs]
        if told in about:
            return about.index(told)
        numbers = range(len(pairs))
        return max(numbers, key=lambda i: (alarms[i], pairs[i] == DEFAULT_PAIR, -i), default=0)
    if chosen >= len(pairs):
        raise NotHere(f"This run has no pair of streams number {chosen}.")
    return chosen


def kinds_of(run: RunReader) -> dict[str, str]:
    """Returns `"number"` or `"classes"` for each feature whose distribution is stored."""
    return {
        name: word
        for kind, word in ((CLASSES, "classes"), (HISTOGRAMS, "number"))
        for head in heads(run, kind)
        for name in head.names
    }
