"""`AugmentationController`: a controller of the augmentation strengths. NumPy only.

After each epoch it compares the image attributes of training with those of the
target, and moves the strengths towards the smallest set of operations that makes
the attributes equal. An operation is added only if it explains a part of the shift
that no other operation explains, so most operations stay at zero. The controller
runs on the host.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.operations import OPERATIONS
from keras_shiftguard.profiles import FeatureTable

# Strengths that are tried: the coarse ones for all operations, then the fine ones for a shortlist.
COARSE_GRID = (0.15, 0.4, 0.8)
FINE_GRID = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
SHORTLIST_SIZE = 8  # operations that are searched on the fine grid
FACTORS = (0.8, 0.9, 1.1, 1.25)  # factors that are tried on an active strength, to tune it
REDUCTIONS = (1.0, 0.75, 0.5)  # factors tried on the other strengths when an operation is added
MAX_ACTIVE = 5  # operations whose strength is above 0 at the same time
MAX_ROUNDS = 16  # rounds of one search; each adds, removes or tunes at most one operation
# Smallest decreases of the loss, as shares of the loss without augmentation: to add an operation
# (times its effort), and to change a strength.
MIN_ENTRY_GAIN = 0.03
MIN_TUNING_GAIN = 0.004
REPLAN_GAP = 0.1  # standard deviations by which a gap must change before a new search
MIN_REPORTED_CHANGE = 0.005  # smaller changes of a strength are not reported

# A function from strengths, `(candidates, operations)`, to the mean and the standard deviation of
# the attributes of images augmented with them, `(candidates, attributes)` each. See `Rehearsal`.
Rehearse = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Change:
    """A change of the strength of one operation, with the reason.

    Args:
        operation: Name of the operation.
        before: The old strength, in [0, 1].
        after: The new strength, in [0, 1].
        reason: The reason, a sentence with numbers.
    """

    operation: str
    before: float
    after: float
    reason: str

    def __str__(self) -> str:
        operation = OPERATIONS[self.operation]
        verb = "widened" if self.after > self.before else "narrowed"
        amount = operation.unit.format(self.after * operation.limit)
        return (
            f"{self.operation} {verb} from {self.before:.2g} to {self.after:.2g} ({amount}): "
            f"{self.reason}"
        )


class AugmentationController:
    """A controller of the strengths that makes augmented training images look like the target.

    Args:
        names: Names of the operations that may be used.
        max_step: Largest change of a strength in one update.
        max_strength: Largest strength, in (0, 1].
        warm_up: Number of the first update that may change a strength, counted from 1.

    Attributes:
        strengths: Current strength of each operation, `(operations,)`.
        gaps: The remaining shift with these strengths, by attribute: the mean of
            augmented training minus that of the target, in standard deviations.
        gaps_before: The shift without augmentation, in the same form.
    """

    def __init__(
        self,
        names: Sequence[str],
        max_step: float = 0.5,
        max_strength: float = 1.0,
        warm_up: int = 1,
    ) -> None:
        self.names = tuple(names)
        self.max_step = max_step
        self.max_strength = max_strength
        self.warm_up = warm_up
        self.strengths = np.zeros(len(self.names))
        self.gaps: dict[str, float] = {}
        self.gaps_before: dict[str, float] = {}
        self.updates = 0
        self._plan = np.zeros(len(self.names))  # the strengths that the latest search found
        self._reasons = {name: "" for name in self.names}
        self._planned_for: np.ndarray | None = None  # the gaps for which `_plan` was made

    def update(self, train: FeatureTable, target: FeatureTable, rehearse: Rehearse) -> list[Change]:
        """Updates the strengths after an epoch.

        Args:
            train: Attributes of training before augmentation.
            target: Attributes of the target, or of validation.
            rehearse: Measures the attributes under candidate strengths.

        Returns:
            The changes, the largest one first.
        """
        self.updates += 1
        coverage = Coverage.between(train, target)
        if self.updates < self.warm_up:
            return []
        gaps = coverage.gaps(np.zeros(len(coverage.names)))  # without augmentation
        if not coverage.shifted.any():
            self._plan = np.zeros(len(self.names))
            self._planned_for = gaps
            reason = "no attribute of the target differs clearly from training's"
            self._reasons = dict.fromkeys(self.names, reason)
        elif self._is_outdated(gaps):
            search = _Search(coverage, rehearse, self.max_strength)
            self._plan = search.improve(self._plan, self.names)
            self._planned_for = gaps
            self._reasons.update(search.reasons(self._plan, self.names))
        changes = self._step_towards_plan()
        self._measure_gaps(coverage, rehearse)
        return changes

    def _is_outdated(self, gaps: np.ndarray) -> bool:
        """Whether the gaps differ from those for which the plan was made."""
        if self._planned_for is None:
            return True
        return bool(np.nanmax(np.abs(gaps - self._planned_for)) > REPLAN_GAP)

    def _step_towards_plan(self) -> list[Change]:
        """Moves each strength towards the plan, by at most `max_step`."""
        step = np.clip(self._plan - self.strengths, -self.max_step, self.max_step)
        before, after = self.strengths, self.strengths + step
        self.strengths = after
        changed = np.flatnonzero(np.abs(step) >= MIN_REPORTED_CHANGE)
        changed = changed[np.argsort(-np.abs(step[changed]))]
        found = []
        for i in changed:
            reason = self._reasons[self.names[i]]
            found.append(Change(self.names[i], float(before[i]), float(after[i]), reason))
        return found

    def _measure_gaps(self, coverage: Coverage, rehearse: Rehearse) -> None:
        """Computes `gaps` with the current strengths."""
        moved = np.zeros(len(coverage.names))
        if self.strengths.any():
            means, _ = rehearse(np.stack([np.zeros_like(self.strengths), self.strengths]))
            moved = means[1] - means[0]
        self.gaps = _finite(coverage.names, coverage.gaps(moved))
        self.gaps_before = _finite(coverage.names, coverage.gaps(np.zeros_like(moved)))

    def state(self) -> dict[str, Any]:
        """Returns the state that `restore` needs, as plain values for JSON."""
        planned = self._planned_for
        return {
            "names": list(self.names),
            "strengths": self.strengths.tolist(),
            "plan": self._plan.tolist(),
            "updates": self.updates,
            "reasons": dict(self._reasons),
            "planned_for": None if planned is None else np.nan_to_num(planned).tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state of `state()`; operations that are not in `names` are dropped."""
        for name in ("strengths", "plan"):
            saved = dict(zip(state["names"], state[name], strict=True))
            values = np.asarray([saved.get(each, 0.0) for each in self.names], "float64")
            setattr(self, name if name == "strengths" else "_plan", values)
        self.updates = int(state["updates"])
        self._reasons = {name: state["reasons"].get(name, "") for name in self.names}
        planned = state["planned_for"]
        self._planned_for = None if planned is None else np.asarray(planned)


def _finite(names: Sequence[str], gaps: np.ndarray) -> dict[str, float]:
    """Returns the gaps that are finite, by the name of the attribute."""
    pairs = zip(names, gaps, strict=True)
    return {name: float(gap) for name, gap in pairs if np.isfinite(gap)}


class _Search:
    """A search for the strengths with the smallest loss.

    Each round adds, removes or tunes one operation. If it adds one, it may also reduce all
    other strengths. `rehearse` measures the effect of each change.

    Args:
        coverage: The attributes of training and target.
        rehearse: Measures the attributes under candidate strengths.
        max_strength: Largest strength, in (0, 1].
    """

    def __init__(self, coverage: Coverage, rehearse: Rehearse, max_strength: float) -> None:
        self.coverage = coverage
        self.rehearse = rehearse
        self.max_strength = max_strength
        # Means and standard deviations of the attributes without augmentation.
        self.base: tuple[np.ndarray, np.ndarray] | None = None

    def moved(self, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns how candidate strengths, `(candidates, operations)`, change the attributes.

        Returns:
            The changes of the means, and the factors by which the standard deviations
            grow, each `(candidates, attributes)`.
        """
        if self.base is None:
            means, stds = self.rehearse(np.zeros((1, candidates.shape[1])))
            self.base = means[0], stds[0]
        means, stds = self.rehearse(candidates)
        unit = self.coverage.unit
        # The added 0.05 bounds the factor where an attribute hardly varies.
        growth = (stds + 0.05 * unit) / (self.base[1] + 0.05 * unit)
        return means - self.base[0], growth

    def losses(self, candidates: np.ndarray) -> np.ndarray:
        """Returns the loss of each candidate, `(candidates,)`; see `Coverage.loss`."""
        return self.coverage.loss(*self.moved(candidates))

    def improve(self, plan: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Returns better strengths, `(operations,)`, starting from the strengths of `plan`."""
        unaugmented, current = self.losses(np.stack([np.zeros_like(plan), plan]))
        if unaugmented <= 0:
            return np.zeros_like(plan)
        entry_cost, min_gain = MIN_ENTRY_GAIN * unaugmented, MIN_TUNING_GAIN * unaugmented
        efforts = np.asarray([OPERATIONS[name].effort for name in names])
        shortlist: list[int] | None = None
        for _ in range(MAX_ROUNDS):
            tried, changed = self._candidates(plan, shortlist)
            if not len(tried):
                return plan
            loss = self.losses(tried)
            # Adding an operation costs `entry_cost` times its effort; removing it returns that.
            added = (tried > 0) @ efforts - (plan > 0) @ efforts
            gain = current - loss - entry_cost * added
            best = int(np.argmax(gain))
            if shortlist is None:
                best_gain = {int(k): float(gain[changed == k].max()) for k in set(changed.tolist())}
                best_first = sorted(best_gain, key=lambda k: -best_gain[k])
                shortlist = best_first[:SHORTLIST_SIZE]
                if gain[best] < min_gain:
                    return plan
            elif gain[best] < min_gain:
                shortlist = None  # search all operations once more, then stop
                continue
            plan, current = tried[best], loss[best]
        return plan

    def _candidates(
        self, plan: np.ndarray, shortlist: list[int] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns plans that change one operation of `plan`, and the indices of the operations.

        A plan that adds an operation may also reduce all other strengths.

        Args:
            plan: The current strengths, `(operations,)`.
            shortlist: Indices of the operations to search beside the active ones, on the
                fine grid; None searches all operations on the coarse grid.

        Returns:
            Strengths, `(candidates, operations)`, and operation indices, `(candidates,)`.
        """
        found, changed = [], []
        is_full = np.count_nonzero(plan) >= MAX_ACTIVE
        active = np.flatnonzero(plan).tolist()
        searched = range(len(plan)) if shortlist is None else sorted({*shortlist, *active})
        for k in searched:
            if plan[k] == 0 and is_full:
                continue
            values = set(COARSE_GRID if shortlist is None else FINE_GRID)
            if plan[k] > 0:
                values |= {0.0, *(plan[k] * factor for factor in FACTORS)}
            capped = {min(value, self.max_strength) for value in values}
            for value in sorted(capped - {float(plan[k])}):
                # A new operation may replace a part of the others, so they are reduced as well.
                is_new = plan[k] == 0 and len(active) > 0 and shortlist is not None
                for reduction in REDUCTIONS if is_new else (1.0,):
                    candidate = plan * reduction
                    candidate[k] = value
                    found.append(candidate)
                    changed.append(k)
        return np.asarray(found), np.asarray(changed)

    def reasons(self, plan: np.ndarray, names: Sequence[str]) -> dict[str, str]:
        """Returns the reason for each strength, by operation.

        The reason for an active operation is the gap that would grow most without it.
        """
        active = np.flatnonzero(plan)
        if not len(active):
            reason = "no operation explains enough of this shift to be used"
            return dict.fromkeys(names, reason)
        found = dict.fromkeys(names, "other operations explain the shift better or more simply")
        without = np.tile(plan, (len(active), 1))  # each row lacks one active operation
        without[np.arange(len(active)), active] = 0
        moved, _ = self.moved(np.concatenate([plan[None], without]))
        gaps = self.coverage.gaps(moved)
        compressed = np.arcsinh(np.abs(gaps))
        before = self.coverage.gaps(np.zeros(len(self.coverage.names)))
        for row, k in enumerate(active.tolist(), start=1):
            growth = np.nan_to_num(compressed[row] - compressed[0], nan=-1.0)
            # Only a shifted attribute can be a reason.
            growth = np.where(self.coverage.shifted, growth, -1.0)
            widest = int(np.argmax(growth))
            attribute = self.coverage.names[widest]
            side = "above" if before[widest] < 0 else "below"
            found[names[k]] = (
                f"the target's {attribute} lies {abs(before[widest]):.1f} standard deviations "
                f"{side} training's; {abs(gaps[0][widest]):.1f} remain with all chosen "
                f"operations, {abs(gaps[row][widest]):.1f} without {names[k]}"
            )
        return found
