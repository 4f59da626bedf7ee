"""The course of an alignment: when it begins, on what terms, and when it has done harm.

The source is learned first. Then the answers in the target are as good as they
get without alignment, and nothing has bent the features yet: where the classes
lie and how frequent they are is read there and then, and what was read is the
witness for the rest of the training.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence

# Of the labelled source. Below, the answers in the target are mere guesses, and
# nothing is concluded from them.
LEAST_ACCURACY = 0.8
# Between the two readings of where the classes lie in the target. Below, the
# source is not learned well enough yet to tell.
LEAST_AGREEMENT = 0.9
LOOKS_THAT_AGREE = 2  # in a row
# Of the model's answers with what was read. Where the target is far away, two readings
# may agree on clouds that are no classes; the answers then have little to do with them.
LEAST_MAJORITY = 0.6
MARGINAL = 1 / 3  # of the alignment of `"auto"`, before it goes class by class
CONDITIONAL_STRENGTH = 5.0  # a distance of one class is a small part of the whole
LARGEST_WEIGHT = 5.0
SURE = 0.9  # probability of a sample's class from which it is a witness
FEWEST = 30  # witnesses
# Witnesses lost that are more than chance, and more than nothing.
LEAST_LOSS = 0.03
PATIENCE = 3  # looks; any one of them may be a bad moment


class Course:
    """Begins an alignment, keeps its terms up to date, and ends it where it harms.

    Args:
        owner: The `DomainAdaptationModel`.
        labels: Class ids of the source samples that are looked at.
        epochs: Those on the source alone, and all.
        act: Takes an epoch, what is done, and why; keeps a record.
    """

    def __init__(
        self,
        owner: Any,
        labels: np.ndarray,
        epochs: tuple[int, int],
        act: Callable[[int, str, str], None],
    ) -> None:
        self.owner = owner
        self.layer = owner.alignment_layer
        self.first, self.last = epochs
        self._began = 0
        self.act = act
        counts = np.bincount(labels, minlength=owner.num_classes)
        self.share = counts / counts.sum()
        self._witness: Evidence | None = None
        self._before: list[np.ndarray] = []
        self._kept_at_first = 0.0
        self._bad = 0
        self._agreed = 0

    @property
    def has_begun(self) -> bool:
        return float(ops.convert_to_numpy(self.layer.started)) > 0

    @property
    def groups(self) -> np.ndarray | None:
        """Classes of separate groups, as they were before anything was aligned."""
        if self._witness is None or self._witness.classes is None:
            return None
        return self._witness.classes.groups

    def is_ripe(self, seen: Evidence) -> bool:
        """Whether alignment may begin: not before it is clear where the classes lie."""
        unclear = seen.classes is not None and (
            seen.classes.agreement < LEAST_AGREEMENT or seen.agreement < LEAST_MAJORITY
        )
        self._agreed = 0 if unclear else self._agreed + 1
        if seen.epoch < self.first:
            return False
        # A source that is hard to learn never makes it clear: then nothing guards.
        is_hard = seen.source_accuracy < LEAST_ACCURACY
        return is_hard or self._agreed >= min(LOOKS_THAT_AGREE, self.first)

    def begin(self, seen: Evidence) -> None:
        """Begins to align, with what is seen now as the witness of later looks."""
        self.layer.started.assign(1.0)
        self._began = seen.epoch
        if seen.source_accuracy < LEAST_ACCURACY or seen.classes is None:
            return
        if (seen.classes.probabilities.max(axis=1) > SURE).sum() < FEWEST:
            return
        self._witness = seen
        self._kept_at_first = self._kept(seen)
        self._before = [ops.convert_to_numpy(v) for v in self.owner.base.variables]

    def follow(self, seen: Evidence) -> None:
        """What one more look asks for, once alignment has begun."""
        if seen.classes is None or self._harms(seen) or seen.source_accuracy < LEAST_ACCURACY:
            return
        if self.owner.label_shift:
            self._weight(seen)
        if self.owner.method == "auto":
            self.layer.rule_kernel.assign(seen.classes.kernel.astype("float32"))
            self.layer.rule_bias.assign(seen.classes.bias.astype("float32"))
            self._choose(seen)

    def _kept(self, seen: Evidence) -> float:
        """Share of the witnesses that the head puts in the class that they lie in."""
        assert self._witness is not None and self._witness.classes is not None
        p = self._witness.classes.probabilities
        sure = p.max(axis=1) > SURE
        return float((seen.answers[sure] == p.argmax(axis=1)[sure]).mean())

    def _harms(self, seen: Evidence) -> bool:
        """Ends it where the head contradicts the witness more than it did before."""
        if self._witness is None:
            return False
        first, kept = self._kept_at_first, self._kept(seen)
        chance = 2 * np.sqrt(max(first * (1 - first), 1e-4) / len(seen.answers))
        self._bad = self._bad + 1 if kept < first - max(LEAST_LOSS, chance) else 0
        if self._bad < PATIENCE:
            return False
        for variable, value in zip(self.owner.base.variables, self._before, strict=True):
            variable.assign(value)
        self.owner.switch_off(
            f"its answers agreed with how the target's samples lay together in {first:.0%} of "
            f"cases before, and do in {kept:.0%} now; the weights from before are back",
            epoch=seen.epoch,
        )
        return True

    def _weight(self, seen: Evidence) -> None:
        """Weights for classes, where their mix in the target surely differs."""
        assert seen.classes is not None
        found, share = seen.classes, self.share
        differs = (found.lower > share) | (found.upper < share)
        weights = np.where(differs, found.frequencies, share) / np.maximum(share, 1e-9)
        weights = np.clip(weights, 1 / LARGEST_WEIGHT, LARGEST_WEIGHT)
        weights = np.where(share > 0, weights, 1.0)
        weights = weights / (share * weights).sum()
        old = ops.convert_to_numpy(self.layer.class_weights)
        if seen is not self._witness:
            weights = 0.5 * old + 0.5 * weights  # features move: one look is no proof
        self.layer.class_weights.assign(weights.astype("float32"))
        if np.abs(weights - old).max() > 0.3:
            worst = int(np.abs(np.log(np.maximum(weights, 1e-3))).argmax())
            self.act(
                seen.epoch,
                f"classes weighted from {weights.min():.2f} to {weights.max():.2f}",
                f"class {worst} is estimated at {found.frequencies[worst]:.1%} of the target "
                f"({found.lower[worst]:.1%} to {found.upper[worst]:.1%}) and is "
                f"{share[worst]:.1%} of the source",
            )

    def _choose(self, seen: Evidence) -> None:
        """`auto`: from the marginal to the class-by-class distance."""
        assert seen.classes is not None
        is_on = float(ops.convert_to_numpy(self.layer.conditional)) > 0
        is_early = seen.epoch < self._began + (self.last - self._began) * MARGINAL
        # Where groups say what the classes are, the whole need not come first.
        is_early = is_early and seen.classes.groups is None
        if is_on or is_early or seen.classes.agreement < LEAST_AGREEMENT:
            return
        agreement = f"{seen.classes.agreement:.0%} of the target"
        clear = f"both readings of where the classes lie agree in {agreement}"
        if seen.classes.groups is not None:
            clear = "the target falls into as many separate groups as there are classes"
        self.layer.conditional.assign(1.0)
        self.owner.set_strength(self.owner.current_strength * CONDITIONAL_STRENGTH)
        self.act(
            seen.epoch,
            "aligned class by class from here on",
            f"accuracy on labelled source is {seen.source_accuracy:.1%}, and {clear}",
        )
