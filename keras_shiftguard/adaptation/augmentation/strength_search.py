"""Search for the smallest set of operations that covers the target."""

from collections.abc import Callable, Sequence

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.detection.words.attribute_words import LABELS, heading

# Strengths with which an operation may be added, and factors that may change the strength of an
# active one. Conventions, checked in docs/benchmarks/augmentation.md.
STRENGTHS = (0.15, 0.4, 0.8)
FACTORS = (0.0, 0.5, 0.8, 0.9, 1.1, 1.25)
# Rounds of one search; each adds, removes or tunes one operation. A convention, checked in
# docs/benchmarks/augmentation.md.
MAX_ROUNDS = 16
# An operation is used if it lowers the loss by this share of the loss without augmentation, times
# its effort. So most operations stay at zero. A convention, checked in
# docs/benchmarks/augmentation.md.
MIN_GAIN = 0.03

# A function from strengths, `(candidates, operations)`, to the means of the attributes of images
# augmented with them, `(candidates, attributes)`. See `Rehearsal.measure`.
Rehearse = Callable[[np.ndarray], np.ndarray]


def moved(candidates: np.ndarray, rehearse: Rehearse) -> np.ndarray:
    """Returns how strengths, `(candidates, operations)`, change the means of the attributes."""
    means = rehearse(np.concatenate([np.zeros_like(candidates[:1]), candidates]))
    return means[1:] - means[0]


def improved(
    plan: np.ndarray, names: Sequence[str], coverage: Coverage, rehearse: Rehearse
) -> np.ndarray:
    """Returns strengths with a smaller loss, `(operations,)`, starting from those of `plan`."""
    unaugmented = coverage.loss(np.zeros(len(coverage.names)))
    price = MIN_GAIN * unaugmented * np.array([OPERATIONS[each].effort for each in names])
    for _ in range(MAX_ROUNDS):
        candidates = _changed(plan)
        losses = coverage.loss(moved(candidates, rehearse)) + (candidates > 0) @ price
        best = int(np.argmin(losses))
        if best == 0:  # the plan itself
            break
        plan = candidates[best]
    return plan


def reasons_for(
    plan: np.ndarray, names: Sequence[str], coverage: Coverage, rehearse: Rehearse
) -> dict[str, str]:
    """Returns the reason for each strength of a plan, by operation.

    The reason for an active operation is the gap that would grow most without it.
    """
    active = np.flatnonzero(plan)
    if not len(active):
        return dict.fromkeys(names, "no operation explains enough of this shift to be used")
    found = dict.fromkeys(names, "other operations explain the shift better or more simply")
    without = np.tile(plan, (len(active), 1))  # each row lacks one active operation
    without[np.arange(len(active)), active] = 0
    gaps = coverage.gaps(moved(np.concatenate([plan[None], without]), rehearse))
    compressed = np.arcsinh(np.abs(gaps))
    before = coverage.gaps(np.zeros(len(coverage.names)))
    for row, k in enumerate(active.tolist(), start=1):
        growth = np.nan_to_num(compressed[row] - compressed[0], nan=-1.0)
        # Only a shifted attribute can be a reason.
        widest = int(np.argmax(np.where(coverage.is_shifted, growth, -1.0)))
        attribute = coverage.names[widest]
        label = heading(LABELS.get(attribute.rpartition("/")[2], attribute))
        side = "above" if before[widest] < 0 else "below"
        found[names[k]] = (
            f"the target's {label} lies {abs(before[widest]):.1f} standard deviations "
            f"{side} training's; {abs(gaps[0][widest]):.1f} remain with all chosen "
            f"operations, {abs(gaps[row][widest]):.1f} without {names[k]}"
        )
    return found


def _changed(plan: np.ndarray) -> np.ndarray:
    """Returns a plan, and all plans that differ from it in one operation."""
    found = [plan]
    for k, strength in enumerate(plan):
        values = [strength * factor for factor in FACTORS] if strength else STRENGTHS
        for value in values:
            found.append(plan.copy())
            found[-1][k] = min(value, 1.0)
    return np.stack(found)
