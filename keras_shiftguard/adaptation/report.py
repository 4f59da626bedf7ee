"""Does alignment work? The answer in words, and what was done about it."""

from dataclasses import dataclass
from typing import Any

from keras_shiftguard.adaptation.evidence import Evidence


@dataclass(frozen=True)
class Action:
    """Something that was changed, and why.

    Args:
        epoch: After which epoch; 0 is before the first.
        what: What was done.
        reason: Why, with the numbers it rests on.
    """

    epoch: int
    what: str
    reason: str

    def __str__(self) -> str:
        return f"epoch {self.epoch}: {self.what}, because {self.reason}"


@dataclass(frozen=True)
class AlignmentReport:
    """What an adaptation did, without knowing a label of the target.

    Args:
        method: How the domains were aligned; "off" where they were not.
        feature_layer: Whose output was aligned.
        looks: The evidence after each epoch, the first from before training.
        actions: What was changed on the way.
        strength: Strength at the end.
    """

    method: str
    feature_layer: str
    looks: tuple[Evidence, ...] = ()
    actions: tuple[Action, ...] = ()
    strength: float = 0.0

    @property
    def works(self) -> bool | None:
        """Whether the domains came nearer; None if it cannot be said."""
        if len(self.looks) < 2 or self.method == "off" or self.strength == 0:
            return None
        now, worst = self.looks[-1].distance, max(look.distance for look in self.looks)
        return now <= 0.5 or now < 0.8 * worst

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "method": self.method,
            "feature_layer": self.feature_layer,
            "works": self.works,
            "strength": self.strength,
            "distance": [look.distance for look in self.looks],
            "source_accuracy": [look.source_accuracy for look in self.looks],
            "confidence": [look.confidence for look in self.looks],
            "actions": [vars(action) for action in self.actions],
        }

    def __str__(self) -> str:
        if not self.looks:
            return "Nothing has been aligned yet: call `fit` with `target_data=`."
        verdict = {
            True: "Alignment works",
            False: "Alignment does not work",
            None: "Alignment is off" if self.strength == 0 else "Alignment cannot be judged yet",
        }[self.works]
        first, last = self.looks[0], self.looks[-1]
        lines = [
            f"{verdict} ({self.method}, on the output of {self.feature_layer!r}).",
            f"  A linear rule tells source from target in {last.domain_accuracy:.0%} of cases, "
            f"{first.domain_accuracy:.0%} before training (50% is chance; proxy A-distance "
            f"{last.distance:.2f}, was {first.distance:.2f}, of at most 2).",
        ]
        if last.source_accuracy == last.source_accuracy:
            lines.append(
                f"  Accuracy on labelled source {last.source_accuracy:.1%}; in the target the "
                f"model is {last.confidence:.0%} sure on average, and the nearest class mean "
                f"agrees with it in {last.agreement:.0%} of samples. No label of the target was "
                "used: these say nothing certain about its accuracy."
            )
        lines += [f"  {action}." for action in self.actions]
        return "\n".join(lines)
