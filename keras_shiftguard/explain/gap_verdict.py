"""The verdict on an accuracy gap: alone, or together with the verdict of the run in the same log.

`explain_gap` measures what a watched fit cannot, such as what wrong preprocessing costs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keras_shiftguard.detection.cost import cost_in_words
from keras_shiftguard.detection.verdict import ALSO, Verdict
from keras_shiftguard.detection.verdict_causes.parts import (
    ACT,
    FINE,
    LOOK,
    NOTHING,
    NOTHING_TO_DO,
    STATES,
)
from tensorboard_plugin_shiftguard.words import listed

POINT = 0.01  # of accuracy: a cause that costs less is no reason to act. A convention.
ABOUT_GAP = "gap"
# The causes that the diagnosis of an input is about.
OF_THE_INPUT = ("preprocessing", "channel order", "column order")
CAUSES = {
    "preprocessing": "wrong preprocessing",
    "channel order": "swapped colour channels",
    "column order": "another order of columns",
    "resolution and crop": "another resolution or crop",
    "label shift": "other class shares",
    "covariate shift": "data of another kind",
    "concept shift": "labels of another meaning",
}


def gap_verdict(gap: Mapping[str, Any]) -> Verdict:
    """Returns the verdict on an accuracy gap alone."""
    size, about = gap["gap"], (ABOUT_GAP, ABOUT_GAP)
    if not gap["beyond_sampling"] and gap["doubt"]:
        cause = "Without labels, it is not known whether accuracy is lower than it should be."
        step = "Label some of the samples."
        return Verdict(LOOK, cause, step=step, detail=gap["doubt"], about=about)
    if not gap["beyond_sampling"]:
        cause = "Accuracy is as expected, within what the choice of samples may do."
        return Verdict(FINE, cause, about=about)
    ends: Any = tuple(gap["interval"])
    words = _costs(size, ends, gap["estimated"])
    causes = [row for row in gap["rows"] if row["kind"] != "rest" and row["points"] > POINT]
    lead = max(causes, key=lambda row: row["points"], default=None)
    if lead is None:
        state, detail = LOOK, ""
        cause = "Accuracy is lower than it should be; no cause was found."
        step = "Look at the samples that are wrong, and check their labels."
    else:
        state, detail = ACT, lead["detail"]
        because = CAUSES.get(lead["cause"], lead["cause"])
        lost = f"{because} takes {100 * lead['points']:.1f} points"
        cause = f"Accuracy is {100 * size:.1f} points lower than it should be; {lost}."
        step = lead["repair"] or f"Look into the cause, {because}."
    cost: dict[str, Any] = {"cost": size, "cost_interval": ends, "cost_words": words}
    return Verdict(state, cause, step=step, detail=detail, about=about, **cost)


def with_gap(run: Verdict, gap: Mapping[str, Any]) -> Verdict:
    """Returns the verdict of a run, with what an accuracy gap in the same log adds to it.

    The gap says what wrong preprocessing costs. On anything else it is a second opinion: the more
    urgent one leads, and a note names the other.
    """
    own = gap_verdict(gap)
    if run.state == NOTHING:
        return own
    input_rows = [r for r in gap["rows"] if r["kind"] == "removed" and r["cause"] in OF_THE_INPUT]
    if run.state == ACT and run.about[:1] == ("preprocessing",) and input_rows:
        return _priced(run, input_rows, gap["estimated"])
    if own.state == FINE or run.about[:1] == (ABOUT_GAP,):
        return run
    if STATES.index(own.state) < STATES.index(run.state):
        lowered = run.cause[:1].lower() + run.cause[1:]
        also = () if run.step == NOTHING_TO_DO else (ALSO + lowered,)
        return replace(own, notes=(*run.notes, *also), adaptation=run.adaptation)
    return run.and_also(own.cause)


def _priced(run: Verdict, rows: list[Mapping[str, Any]], estimated: bool) -> Verdict:
    """Returns a verdict on wrong preprocessing with the cost that the gap's rows have together."""
    cost = sum(row["points"] for row in rows)
    ends: Any = tuple(rows[0]["interval"]) if len(rows) == 1 else None
    shares = [f"{100 * row['points']:.1f} by {CAUSES[row['cause']]}" for row in rows]
    words = _costs(cost, ends, estimated) + (f": {listed(shares)}" if len(rows) > 1 else "")
    return replace(run, cost=cost, cost_interval=ends, cost_words=words)


def _costs(cost: float, ends: Any, estimated: bool) -> str:
    how = "estimated" if estimated else "measured"
    return f"{cost_in_words(cost, ends, about='')}, {how} by explain_gap"
