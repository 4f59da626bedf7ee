"""`StrengthSearch`: a search for the smallest set of operations that covers the target."""

from collections.abc import Callable, Sequence

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.detection.attribute_words import LABELS, heading

# Strengths that are tried: the coarse ones for all operations, then the fine ones for a shortlist.
COARSE_GRID = (0.15, 0.4, 0.8)
FINE_GRID = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
SHORTLIST_SIZE = 8  # operations that are searched on the fine grid
FACTORS = (0.8, 0.9, 1.1, 1.25)  # factors that are tried on an active strength, to tune it
REDUCTIONS = (1.0, 0.75, 0.5)  # factors tried on the other strengths when an operation is added
MAX_ACTIVE = 5  # largest number of operations with a strength above 0
MAX_ROUNDS = 16  # rounds of one search; each adds, removes or tunes at most one operation
# Smallest decreases of the loss, as shares of the loss without augmentation: to add an operation
# (times its effort), and to change a strength.
MIN_ENTRY_GAIN = 0.03
MIN_TUNING_GAIN = 0.004

# A function from strengths, `(candidates, operations)`, to the mean and the standard deviation of
# the attributes of images augmented with them, `(candidates, attributes)` each. See `Rehearsal`.
Rehearse = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class StrengthSearch:
    """A search for the strengths with the smallest loss.

    Each round adds, removes or tunes one operation. If it adds one, it may also reduce all
    other strengths. `rehearse` measures the effect of each change.

    Args:
        coverage: The attributes of training and target.
        rehearse: Measures the attributes under candidate strengths.
    """

    def __init__(self, coverage: Coverage, rehearse: Rehearse) -> None:
        self.coverage = coverage
        self.rehearse = rehearse
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
            # Adding an operation costs `entry_cost` times its effort. Removing it gains as much.
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
            capped = {min(value, 1.0) for value in values}
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
            label = heading(LABELS.get(attribute.rpartition("/")[2], attribute))
            side = "above" if before[widest] < 0 else "below"
            found[names[k]] = (
                f"the target's {label} lies {abs(before[widest]):.1f} standard deviations "
                f"{side} training's; {abs(gaps[0][widest]):.1f} remain with all chosen "
                f"operations, {abs(gaps[row][widest]):.1f} without {names[k]}"
            )
        return found
