"""`AugmentationController`: a controller of the augmentation strengths. NumPy only.

After each epoch it compares the image attributes of training with those of the target, and sets the
strengths of the smallest set of operations that makes the attributes equal. It runs on the host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.adaptation.augmentation.coverage import Coverage
from keras_shiftguard.adaptation.augmentation.selection import OPERATIONS
from keras_shiftguard.adaptation.augmentation.strength_search import (
    Rehearse,
    improved,
    moved,
    reasons_for,
)
from keras_shiftguard.profiles import FeatureTable

# Standard deviations by which a gap must change before a new search. A convention.
REPLAN_GAP = 0.1


@dataclass(frozen=True)
class Change:
    """A change of the strength of one operation, in [0, 1], with the reason in a sentence."""

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

    Attributes:
        strengths: Current strength of each operation, `(operations,)`.
        gaps: The remaining shift with these strengths, by attribute: the mean of
            augmented training minus that of the target, in standard deviations.
        gaps_before: The shift without augmentation, in the same form.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.strengths = np.zeros(len(self.names))
        self.gaps: dict[str, float] = {}
        self.gaps_before: dict[str, float] = {}
        self._planned_for: np.ndarray | None = None  # the gaps that `strengths` are made for

    def update(self, train: FeatureTable, target: FeatureTable, rehearse: Rehearse) -> list[Change]:
        """Updates the strengths after an epoch; returns the changes, the largest one first.

        `train` has the attributes before augmentation, and `target` those of the target, or of
        validation.
        """
        coverage = Coverage.between(train, target)
        gaps = coverage.gaps(np.zeros(len(coverage.names)))  # without augmentation
        before, reasons = self.strengths, {}
        if not coverage.is_shifted.any():
            self.strengths, self._planned_for = np.zeros(len(self.names)), gaps
            reasons = dict.fromkeys(
                self.names, "no attribute of the target differs clearly from training's"
            )
        elif self._is_outdated(gaps):
            self.strengths = improved(before, self.names, coverage, rehearse)
            self._planned_for = gaps
            reasons = reasons_for(self.strengths, self.names, coverage, rehearse)
        change = np.zeros(len(coverage.names))
        if self.strengths.any():
            change = moved(self.strengths[None], rehearse)[0]
        self.gaps = _finite(coverage.names, coverage.gaps(change))
        self.gaps_before = _finite(coverage.names, gaps)
        steps = self.strengths - before
        return [
            Change(name, float(before[i]), float(self.strengths[i]), reasons[name])
            for i, name in ((i, self.names[i]) for i in np.argsort(-np.abs(steps)))
            if steps[i]
        ]

    def _is_outdated(self, gaps: np.ndarray) -> bool:
        """Whether a gap has changed by more than `REPLAN_GAP` since the strengths were chosen."""
        if self._planned_for is None:
            return True
        return bool(np.nanmax(np.abs(gaps - self._planned_for)) > REPLAN_GAP)

    @property
    def named_strengths(self) -> dict[str, float]:
        """The strengths by operation."""
        return dict(zip(self.names, self.strengths.tolist(), strict=True))

    def state(self) -> dict[str, Any]:
        """Returns the state that `restore` needs, as plain values for JSON."""
        planned = self._planned_for
        return {
            "names": list(self.names),
            "strengths": self.strengths.tolist(),
            "planned_for": None if planned is None else np.nan_to_num(planned).tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state of `state()`; operations that are not in `names` are dropped."""
        saved = dict(zip(state["names"], state["strengths"], strict=True))
        self.strengths = np.asarray([saved.get(name, 0.0) for name in self.names], "float64")
        planned = state["planned_for"]
        self._planned_for = None if planned is None else np.asarray(planned)


def _finite(names: Sequence[str], gaps: np.ndarray) -> dict[str, float]:
    """Returns the gaps that are finite, by the name of the attribute."""
    pairs = zip(names, gaps, strict=True)
    return {name: float(gap) for name, gap in pairs if np.isfinite(gap)}
