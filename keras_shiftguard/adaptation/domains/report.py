"""Does alignment work? The answer in words, and what was done about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_shiftguard.adaptation.domains.evidence import Evidence

MOST_CLASSES = 20  # whose estimated share is drawn


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

    def story(
        self, epoch: int, logs: Mapping[str, Any]
    ) -> tuple[str, list[dict[str, Any]], dict[str, float]]:
        """One epoch, for the Shift tab: a headline, what was done, and curves.

        Args:
            epoch: 1 after the first.
            logs: Keras's logs of it.
        """
        events = [
            {"kind": "action", "stream": "target", "text": a.what, "reason": a.reason}
            for a in self.actions
            if a.epoch == epoch or (epoch == 1 and a.epoch == 0)
        ]
        seen = self.looks[-1]
        # Of the head that is trained on it; else of a linear rule, at a look.
        accuracy = logs.get("domain_accuracy", seen.domain_accuracy)
        curves = {
            "alignment_strength": self.strength,
            "domain_accuracy": float(accuracy),
            "domain_chance": 0.5,
        }
        if "alignment_loss" in logs:
            curves["alignment_loss"] = float(logs["alignment_loss"])
        if seen.classes is not None:
            shares = seen.classes.frequencies[:MOST_CLASSES]
            curves |= {f"class_frequency/{k}": float(share) for k, share in enumerate(shares)}
        return self._headline(), events, curves

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
            "class_frequencies": [
                None if look.classes is None else look.classes.frequencies.tolist()
                for look in self.looks
            ],
            "actions": [vars(action) for action in self.actions],
        }

    def __str__(self) -> str:
        if not self.looks:
            return "Nothing has been aligned yet: call `fit` with `target_data=`."
        first, last = self.looks[0], self.looks[-1]
        lines = [
            self._headline(),
            f"  A linear rule tells source from target in {last.domain_accuracy:.0%} of cases, "
            f"{first.domain_accuracy:.0%} before training (50% is chance; proxy A-distance "
            f"{last.distance:.2f}, was {first.distance:.2f}, of at most 2).",
        ]
        if last.source_accuracy == last.source_accuracy:
            lines.append(
                f"  Accuracy on labelled source {last.source_accuracy:.1%}; in the target the "
                f"model is {last.confidence:.0%} sure on average, and agrees with how the "
                f"samples lie together in {last.agreement:.0%}. No label of the target was used: "
                "these say nothing certain about its accuracy."
            )
        lines += [f"  {action}." for action in self.actions]
        return "\n".join(lines)

    def _headline(self) -> str:
        verdict = {
            True: "Alignment works",
            False: "Alignment does not work",
            None: "Alignment is off" if self.strength == 0 else "Alignment cannot be judged yet",
        }[self.works]
        return f"{verdict} ({self.method}, on the output of {self.feature_layer!r})."
