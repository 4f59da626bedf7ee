"""The controller: which operation, and how far. NumPy only, on the host.

In closed loop: after each epoch it looks at what the augmentation in force
makes of the attributes, compares with the target, and moves strengths towards
the smallest set that covers it. An operation enters only if it explains a part
of the shift that no other explains, so what the shift does not call for stays
at zero.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.operations import OPERATIONS
from keras_shiftguard.profiles import FeatureTable

COARSE = (0.15, 0.4, 0.8)
FINE = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
NUDGES = (0.8, 0.9, 1.1, 1.25)
MAKE_ROOM = (1.0, 0.75, 0.5)  # for an operation that enters, of what is in already
SHORTLIST = 8  # operations that are tried finely
MOST_ACTIVE = 5  # operations at a time
MOST_ROUNDS = 16  # of the search, at one update
ENTRY = 0.03  # part of the shift that a new operation must explain
TUNING = 0.004  # and that a change of strength must
SAME = 0.1  # deviations by which all may differ and the plan stands
LEAST = 0.005  # change of strength that is worth a word

Rehearse = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Change:
    """One strength that changed, and why.

    Args:
        operation: Name of the operation.
        before: Its strength until now, in [0, 1].
        after: Its strength from the next step on.
        reason: Why, in words.
    """

    operation: str
    before: float
    after: float
    reason: str

    def __str__(self) -> str:
        operation = OPERATIONS[self.operation]
        verb = "widened" if self.after > self.before else "narrowed"
        far = operation.unit.format(self.after * operation.limit)
        return (
            f"{self.operation} {verb} from {self.before:.2g} to {self.after:.2g} ({far}): "
            f"{self.reason}"
        )


class AugmentationController:
    """Finds the strengths that make augmented training cover the target.

    Args:
        names: The operations that may be used.
        max_step: Largest change of a strength in one update.
        max_strength: Largest strength, in (0, 1].
        warm_up: The first update that may change anything: 1 is the first.

    Attributes:
        strengths: Of each operation, `(operations,)`, in force.
        gaps: By attribute, what is left of the shift with these strengths, in
            standard deviations: augmented training minus target.
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
        """Moves the strengths after an epoch.

        Args:
            train: Attributes of training as fed, before augmentation.
            target: Attributes of the target, or of validation.
            rehearse: Takes `(candidates, operations)` strengths and gives mean
                and standard deviation of the attributes of images augmented
                with each, `(candidates, attributes)`; see `Rehearsal`.

        Returns:
            What changed, the largest change first.
        """
        self.updates += 1
        coverage = Coverage.between(train, target)
        if self.updates < self.warm_up:
            return []
        wanted = coverage.gaps(np.zeros(len(coverage.names)))
        if not coverage.shifted.any():
            self._plan = np.zeros(len(self.names))
            self._planned_for = wanted
            why = "the target does not differ from training in any attribute, beyond chance"
            self._reasons = dict.fromkeys(self.names, why)
        elif self._outdated(wanted):
            search = _Search(coverage, rehearse, self.max_strength)
            self._plan = search.from_plan(self._plan, self.names)
            self._planned_for = wanted
            self._reasons.update(search.reasons(self._plan, self.names))
        changes = self._move()
        self._measure(coverage, rehearse)
        return changes

    def _outdated(self, wanted: np.ndarray) -> bool:
        if self._planned_for is None:
            return True
        return bool(np.nanmax(np.abs(wanted - self._planned_for)) > SAME)

    def _move(self) -> list[Change]:
        """One step towards the plan."""
        step = np.clip(self._plan - self.strengths, -self.max_step, self.max_step)
        before, after = self.strengths, self.strengths + step
        self.strengths = after
        changed = np.flatnonzero(np.abs(step) >= LEAST)
        changed = changed[np.argsort(-np.abs(step[changed]))]
        found = []
        for i in changed:
            reason = self._reasons[self.names[i]]
            found.append(Change(self.names[i], float(before[i]), float(after[i]), reason))
        return found

    def _measure(self, coverage: Coverage, rehearse: Rehearse) -> None:
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
        """All that `restore` needs, as plain values."""
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
        """Continues where `state()` was taken; operations unknown here are dropped."""
        for name in ("strengths", "plan"):
            saved = dict(zip(state["names"], state[name], strict=True))
            values = np.asarray([saved.get(each, 0.0) for each in self.names], "float64")
            setattr(self, name if name == "strengths" else "_plan", values)
        self.updates = int(state["updates"])
        self._reasons = {name: state["reasons"].get(name, "") for name in self.names}
        planned = state["planned_for"]
        self._planned_for = None if planned is None else np.asarray(planned)


class _Search:
    """Forward selection with measured responses, then tuning of what is in."""

    def __init__(self, coverage: Coverage, rehearse: Rehearse, most: float) -> None:
        self.coverage = coverage
        self.rehearse = rehearse
        self.most = most
        self.base: tuple[np.ndarray, np.ndarray] | None = None

    def moved(self, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much the means move and by what factor the spreads grow."""
        if self.base is None:
            means, stds = self.rehearse(np.zeros((1, candidates.shape[1])))
            self.base = means[0], stds[0]
        means, stds = self.rehearse(candidates)
        unit = self.coverage.unit
        spread = (stds + 0.05 * unit) / (self.base[1] + 0.05 * unit)
        return means - self.base[0], spread

    def losses(self, candidates: np.ndarray) -> np.ndarray:
        return self.coverage.loss(*self.moved(candidates))

    def from_plan(self, plan: np.ndarray, names: Sequence[str]) -> np.ndarray:
        none, current = self.losses(np.stack([np.zeros_like(plan), plan]))
        if none <= 0:
            return np.zeros_like(plan)
        entry, tuning = ENTRY * none, TUNING * none
        efforts = np.asarray([OPERATIONS[name].effort for name in names])
        shortlist: list[int] | None = None
        for _ in range(MOST_ROUNDS):
            tried, which = self._candidates(plan, shortlist)
            if not len(tried):
                return plan
            loss = self.losses(tried)
            # An operation that enters has to pay for it; one that leaves is paid.
            count = (tried > 0) @ efforts - (plan > 0) @ efforts
            gain = current - loss - entry * count
            best = int(np.argmax(gain))
            if shortlist is None:
                by_operation = {int(k): float(gain[which == k].max()) for k in set(which.tolist())}
                best_first = sorted(by_operation, key=lambda k: -by_operation[k])
                shortlist = best_first[:SHORTLIST]
                if gain[best] < tuning:
                    return plan
            elif gain[best] < tuning:
                shortlist = None  # look at all of them once more, then stop
                continue
            plan, current = tried[best], loss[best]
        return plan

    def _candidates(
        self, plan: np.ndarray, shortlist: list[int] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Plans that differ from `plan` in one strength, and in which."""
        found, which = [], []
        full = np.count_nonzero(plan) >= MOST_ACTIVE
        active = np.flatnonzero(plan).tolist()
        everyone = range(len(plan)) if shortlist is None else sorted({*shortlist, *active})
        for k in everyone:
            if plan[k] == 0 and full:
                continue
            values = set(COARSE if shortlist is None else FINE)
            if plan[k] > 0:
                values |= {0.0, *(plan[k] * nudge for nudge in NUDGES)}
            for value in sorted({min(value, self.most) for value in values} - {float(plan[k])}):
                # What enters may do a part of what another did until now.
                enters = plan[k] == 0 and len(active) > 0 and shortlist is not None
                for share in MAKE_ROOM if enters else (1.0,):
                    candidate = plan * share
                    candidate[k] = value
                    found.append(candidate)
                    which.append(k)
        return np.asarray(found), np.asarray(which)

    def reasons(self, plan: np.ndarray, names: Sequence[str]) -> dict[str, str]:
        """What each operation is there for: the gap that would be widest without it."""
        without = []
        for k in range(len(plan)):
            one = plan.copy()
            one[k] = 0
            without.append(one)
        active = np.flatnonzero(plan)
        gone = "another combination covers the target with less"
        found = {name: gone for name in names}
        if not len(active):
            none = "no operation of the bank explains a part of this shift worth its cost"
            return dict.fromkeys(names, none)
        moved, _ = self.moved(np.stack([plan, *(without[k] for k in active)]))
        gaps = self.coverage.gaps(moved)
        compressed = np.arcsinh(np.abs(gaps))
        before = self.coverage.gaps(np.zeros(len(self.coverage.names)))
        for row, k in enumerate(active.tolist(), start=1):
            worth = np.nan_to_num(compressed[row] - compressed[0], nan=-1.0)
            # Only what the shift called for can be a reason.
            worth = np.where(self.coverage.shifted, worth, -1.0)
            widest = int(np.argmax(worth))
            attribute = self.coverage.names[widest]
            side = "above" if before[widest] < 0 else "below"
            found[names[k]] = (
                f"the target's {attribute} lies {abs(before[widest]):.1f} standard deviations "
                f"{side} training's; with the whole plan {abs(gaps[0][widest]):.1f} are left, "
                f"without {names[k]} {abs(gaps[row][widest]):.1f} would be"
            )
        return found
