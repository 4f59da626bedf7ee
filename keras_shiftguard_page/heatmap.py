"""The heatmap of causes by epochs, with the colours and the words of the Shift tab.

The rules are those of `groups.js`, `heatmap_draw.js` and `heatmap_words.js` in
`tensorboard_plugin_shiftguard/static`; a test compares them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from keras_shiftguard_page.words import cost as amount
from keras_shiftguard_page.words import is_accuracy, number
from tensorboard_plugin_shiftguard.metadata import ALARM, EXPECTED, REPORTED
from tensorboard_plugin_shiftguard.verdict import TOLERANCE

COSTS = (0.02, 0.04, 0.06)  # costs at which the second to fourth colour begin
MAX_CELLS = 100  # cells in a row; with more epochs, each cell shows several epochs
# The looks of a cell (its CSS classes), from the weakest to the strongest, with their words in the
# legend. A cell that is found has the look h1 to h4 by its cost or, without one, unpriced.
NOTHING, TOLERATED, EXPECTED_LOOK, ALONG, UNCLEAR, FOUND = range(6)
QUIET_LOOKS = ("quiet", "tolerated", "tolerated", "along", "unclear")
LEGEND = {
    "quiet": "nothing found",
    "tolerated": "differs, within tolerance",
    "along": "follows from a finding",
    "unclear": "cost unclear",
    "unpriced": "found, cost not measured",
}


class Cell(NamedTuple):
    """A cell: its look (a CSS class), and its text."""

    look: str
    text: str


class HeatRow(NamedTuple):
    """A row of the heatmap: one cause over the epochs.

    Its state is `"alarm"`, `"unclear"` (the cost is unclear) or `"calm"`.
    """

    name: str
    below: str
    cells: list[Cell]
    figure: str
    state: str


@dataclass(frozen=True)
class Heat:
    """A heatmap of causes by epochs, coloured by cost."""

    title: str
    rows: list[HeatRow]
    first: int
    last: int
    tolerance: float = TOLERANCE
    kind: ClassVar[str] = "heat"

    @property
    def legend(self) -> list[tuple[str, str]]:
        """The looks that occur, each with its words."""
        looks = {cell.look for row in self.rows for cell in row.cells}
        keys = [(look, words) for look, words in LEGEND.items() if look in looks]
        if any(look.startswith("h") for look in looks):
            least = f"{100 * self.tolerance:.3g}"
            words = (least, *(f"{100 * cost:.0f}" for cost in COSTS))
            keys += [(f"h{i}", text) for i, text in enumerate(words, 1)]
            keys[-1] = ("h4", f"{words[-1]} points lost and more")
        return keys


Member = tuple[Mapping[str, Any], Mapping[str, Any]]  # a feature's numbers, and its finding


def cells(numbers: list[int], members: list[Member], tolerance: float) -> list[Cell]:
    """Returns the cells of a cause; each shows the strongest difference in its epochs."""
    step = -(-len(numbers) // MAX_CELLS)
    priced = [finding for _, finding in members if finding["cost"] is not None]
    metric = priced[0].get("metric") if priced else None
    found = []
    for start in range(0, len(numbers), step):
        chosen = range(start, min(start + step, len(numbers)))
        states = [
            state
            for each, finding in members
            for i in chosen
            if (state := _state(each, finding, numbers[i], i, tolerance)) is not None
        ]
        strongest = max(states, key=lambda state: state[:3], default=None)
        found.append(_cell(numbers[start], strongest, metric))
    return found


State = tuple[int, float, float, float | None]  # level, cost (-1: not known), effect size, cost


def _state(
    each: Mapping[str, Any], finding: Mapping[str, Any], epoch: int, i: int, tolerance: float
) -> State | None:
    """Returns how strongly a feature differs in epoch number `i`; None if it is not known."""
    effect = each["effect"][i]
    if effect is None:
        return None
    flags, cost = _known(each, finding, epoch, i)
    effect, level = abs(effect), NOTHING
    if flags & ALARM:
        level = FOUND if flags & REPORTED else ALONG
    elif flags & EXPECTED:
        level = EXPECTED_LOOK
    elif flags & REPORTED:
        # The page has the interval of the latest epoch only, so it is used for every epoch.
        most = max(finding["cost"] or 0.0, *(finding["cost_interval"] or [0.0]))
        beyond = most - (finding["cost"] or 0.0) if finding["harmless"] else 0.0
        is_unclear = cost is not None and finding["harmless"] and cost + beyond > tolerance
        level = UNCLEAR if is_unclear else TOLERATED
    return level, -1.0 if cost is None else cost, effect, cost


def _known(
    each: Mapping[str, Any], finding: Mapping[str, Any], epoch: int, i: int
) -> tuple[int, float | None]:
    """Returns the flags and the cost of a feature as they were known in an epoch."""
    if "flags" in each:
        return int(each["flags"][i] or 0), each["cost"][i]
    # Pages of older versions hold only the latest state.
    until = finding.get("until")
    if epoch < (finding["since"] or 0) or (until is not None and epoch > until):
        return 0, None
    kinds = ALARM * bool(finding["matters"]) + EXPECTED * bool(finding["expected"])
    return REPORTED + kinds, finding["cost"]


def _cell(epoch: int, state: State | None, metric: str | None) -> Cell:
    if state is None:
        return Cell("none", f"epoch {epoch}: not measured")
    level, _, effect, cost = state
    size = f"; effect size {number(effect)}"
    of = " of accuracy" if is_accuracy(metric) else ""
    lost = "" if cost is None else f"costs {amount(cost, metric)}{of}"
    if level == NOTHING:
        return Cell("quiet", f"epoch {epoch}: nothing found")
    if level == FOUND and cost is not None:
        return Cell(f"h{1 + sum(cost >= limit for limit in COSTS)}", f"epoch {epoch}: {lost}{size}")
    if level == FOUND:
        return Cell("unpriced", f"epoch {epoch}: shifted, cost not measured{size}")
    words = {
        TOLERATED: f"differs; {lost}, within tolerance"
        if cost is not None and cost > 0
        else "differs, within tolerance",
        EXPECTED_LOOK: "expected, training is augmented",
        ALONG: "follows from a stronger finding",
        UNCLEAR: "differs, its cost is unclear",
    }
    return Cell(QUIET_LOOKS[level], f"epoch {epoch}: {words[level]}{size}")
