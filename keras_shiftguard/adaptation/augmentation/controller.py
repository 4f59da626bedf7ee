"""`AugmentationController`: chooses augmentation operations and their strengths. NumPy only.

It is a closed loop on the host. After each epoch it compares the attributes of
augmented training with those of the target, and moves the strengths towards the
smallest set of operations that covers the target. An operation is added only if
it explains a part of the shift that no other operation explains, so all others
stay at zero.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.operations import OPERATIONS
from keras_shiftguard.profiles import FeatureTable

COARSE_GRID = (0.15, 0.4, 0.8)  # strengths of the first search over all operations
FINE_GRID = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)  # strengths for the shortlist
FACTORS = (0.8, 0.9, 1.1, 1.25)  # tried on the strength of an active operation
REDUCTIONS = (1.0, 0.75, 0.5)  # tried on the active operations when another one is added
SHORTLIST_SIZE = 8  # operations that are searched on the fine grid
MAX_ACTIVE = 5  # operations at a time
MAX_ROUNDS = 16  # rounds of the search in one update
MIN_ENTRY_GAIN = 0.03  # share of the loss that a new operation must remove
MIN_TUNING_GAIN = 0.004  # share of the loss that a change of strength must remove
REPLAN_GAP = 0.1  # standard deviations by which a gap must change before a new search
MIN_REPORTED_CHANGE = 0.005  # smaller changes of a strength are not reported

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
    """Finds the strengths with which augmented training covers the target.

    Args:
        names: Names of the operations that may be used.
        max_step: Largest change of a strength in one update.
        max_strength: Largest strength, in (0, 1].
        warm_up: Number of the first update that may change a strength, from 1.

    Attributes:
        strengths: Current strength of each operation, `(operations,)`.
        gaps: The shift that these strengths leave in each attribute, augmented
            training minus target, in standard deviations.
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
        self.updates = 0
        self._plan = np.zeros(len(self.names))
        self._reasons = {name: "" for name in self.names}
        self._planned_for: np.ndarray | None = None

    def update(self, train: FeatureTable, target: FeatureTable, rehearse: Rehearse) -> list[Change]:
        """Updates the strengths after an epoch.

        Args:
            train: Attributes of training before augmentation.
            target: Attributes of the target, or of validation.
            rehearse: A function of candidate strengths, `(candidates, operations)`.
                It returns mean and standard deviation of the attributes of images
                augmented with each, `(candidates, attributes)`; see `Rehearsal`.

        Returns:
            The changes, the largest one first.
        """
        self.updates += 1
        coverage = Coverage.between(train, target)
        if self.updates < self.warm_up:
            return []
        wanted = coverage.gaps(np.zeros(len(coverage.names)))
        if not coverage.shifted.any():
            self._plan = np.zeros(len(self.names))
            self._planned_for = wanted
            reason = "the target does not differ from training in any attribute, beyond chance"
            self._reasons = dict.fromkeys(self.names, reason)
        elif self._outdated(wanted):
            search = _Search(coverage, rehearse, self.max_strength)
            self._plan = search.improve(self._plan, self.names)
            self._planned_for = wanted
            self._reasons.update(search.reasons(self._plan, self.names))
        changes = self._step_towards_plan()
        self._measure_gaps(coverage, rehearse)
        return changes

    def _outdated(self, wanted: np.ndarray) -> bool:
        """Whether the shift differs from the one for which the plan was made."""
        if self._planned_for is None:
            return True
        return bool(np.nanmax(np.abs(wanted - self._planned_for)) > REPLAN_GAP)

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
        gaps = coverage.gaps(moved)
        self.gaps = {
            name: float(gap)
            for name, gap in zip(coverage.names, gaps, strict=True)
            if np.isfinite(gap)
        }

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
        """Restores a state of `state()`; operations that are not used here are dropped."""
        for name in ("strengths", "plan"):
            saved = dict(zip(state["names"], state[name], strict=True))
            values = np.asarray([saved.get(each, 0.0) for each in self.names], "float64")
            setattr(self, name if name == "strengths" else "_plan", values)
        self.updates = int(state["updates"])
        self._reasons = {name: state["reasons"].get(name, "") for name in self.names}
        planned = state["planned_for"]
        self._planned_for = None if planned is None else np.asarray(planned)


class _Search:
    """Forward selection of operations by measured responses, with tuning of their strengths."""

    def __init__(self, coverage: Coverage, rehearse: Rehearse, max_strength: float) -> None:
        self.coverage = coverage
        self.rehearse = rehearse
        self.max_strength = max_strength
        self.base: tuple[np.ndarray, np.ndarray] | None = None

    def moved(self, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the changes of the means and the factors by which the spreads grow."""
        if self.base is None:
            means, stds = self.rehearse(np.zeros((1, candidates.shape[1])))
            self.base = means[0], stds[0]
        means, stds = self.rehearse(candidates)
        unit = self.coverage.unit
        spread = (stds + 0.05 * unit) / (self.base[1] + 0.05 * unit)
        return means - self.base[0], spread

    def losses(self, candidates: np.ndarray) -> np.ndarray:
        return self.coverage.loss(*self.moved(candidates))

    def improve(self, plan: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Returns better strengths, `(operations,)`, starting from the strengths of `plan`."""
        none, current = self.losses(np.stack([np.zeros_like(plan), plan]))
        if none <= 0:
            return np.zeros_like(plan)
        entry, tuning = MIN_ENTRY_GAIN * none, MIN_TUNING_GAIN * none
        efforts = np.asarray([OPERATIONS[name].effort for name in names])
        shortlist: list[int] | None = None
        for _ in range(MAX_ROUNDS):
            tried, which = self._candidates(plan, shortlist)
            if not len(tried):
                return plan
            loss = self.losses(tried)
            # Adding an operation costs `entry`, removing one gains it.
            count = (tried > 0) @ efforts - (plan > 0) @ efforts
            gain = current - loss - entry * count
            best = int(np.argmax(gain))
            if shortlist is None:
                by_operation = {int(k): float(gain[which == k].max()) for k in set(which.tolist())}
                best_first = sorted(by_operation, key=lambda k: -by_operation[k])
                shortlist = best_first[:SHORTLIST_SIZE]
                if gain[best] < tuning:
                    return plan
            elif gain[best] < tuning:
                shortlist = None  # search all operations once more, then stop
                continue
            plan, current = tried[best], loss[best]
        return plan

    def _candidates(
        self, plan: np.ndarray, shortlist: list[int] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns plans that differ from `plan` in one strength, and the index of each."""
        found, which = [], []
        full = np.count_nonzero(plan) >= MAX_ACTIVE
        active = np.flatnonzero(plan).tolist()
        searched = range(len(plan)) if shortlist is None else sorted({*shortlist, *active})
        for k in searched:
            if plan[k] == 0 and full:
                continue
            values = set(COARSE_GRID if shortlist is None else FINE_GRID)
            if plan[k] > 0:
                values |= {0.0, *(plan[k] * factor for factor in FACTORS)}
            capped = {min(value, self.max_strength) for value in values}
            for value in sorted(capped - {float(plan[k])}):
                # A new operation may take over a part of what the others did.
                is_new = plan[k] == 0 and len(active) > 0 and shortlist is not None
                for share in REDUCTIONS if is_new else (1.0,):
                    candidate = plan * share
                    candidate[k] = value
                    found.append(candidate)
                    which.append(k)
        return np.asarray(found), np.asarray(which)

    def reasons(self, plan: np.ndarray, names: Sequence[str]) -> dict[str, str]:
        """Returns a reason for each strength: the gap that would grow most without it."""
        without = []
        for k in range(len(plan)):
            one = plan.copy()
            one[k] = 0
            without.append(one)
        active = np.flatnonzero(plan)
        found = dict.fromkeys(names, "another combination covers the target with less")
        if not len(active):
            none = "no operation of the bank explains a part of this shift worth its cost"
            return dict.fromkeys(names, none)
        moved, _ = self.moved(np.stack([plan, *(without[k] for k in active)]))
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
                f"{side} training's; with the whole plan {abs(gaps[0][widest]):.1f} are left, "
                f"without {names[k]} {abs(gaps[row][widest]):.1f} would be"
            )
        return found
