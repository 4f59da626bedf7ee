"""`AlignmentReport`: a text report on a domain adaptation, and the `Action`s in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_shiftguard.domains.evidence import Evidence

# The methods that make the features of both domains alike.
ALIGNING = ("dann", "cdan", "mmd", "coral")
MAX_CURVES = 20  # the estimated shares of at most this many classes are drawn. A convention.


@dataclass(frozen=True)
class Action:
    """A change that was made during training, with the reason.

    Args:
        epoch: Number of the epoch, counted from 1, in which or after which the change was made;
            0 before training.
        what: The change.
        reason: The reason, with numbers.
    """

    epoch: int
    what: str
    reason: str

    def __str__(self) -> str:
        return f"epoch {self.epoch}: {self.what}, because {self.reason}"


@dataclass(frozen=True)
class AlignmentReport:
    """A report on a domain adaptation, made without labels of the target.

    Args:
        method: The methods, joined by " + ".
        feature_layer: Name of the layer whose output was aligned.
        looks: The measurements: one before training and one after each epoch (less
            often in long trainings).
        actions: The changes that were made during training.
        strength: The `strength` of the methods when the report is made; 0 if they are switched off.
        expected: A sentence from before the training, which says whether adaptation is likely to
            help; "" if there is none.
        outcome: A sentence from after the training, with the estimated accuracy on the target; ""
            if there is none.
    """

    method: str
    feature_layer: str
    looks: tuple[Evidence, ...] = ()
    actions: tuple[Action, ...] = ()
    strength: float = 0.0
    expected: str = ""
    outcome: str = ""

    @property
    def aligns(self) -> bool:
        """Whether one of the methods makes features of both domains alike; AdaMatch does not."""
        return bool(set(ALIGNING) & set(self.method.split(" + ")))

    @property
    def works(self) -> bool | None:
        """Whether the domains are close or came closer; None if this cannot be judged.

        They are close if the proxy A-distance of their features is at most 0.5. They came
        closer if that distance is less than 0.8 times its largest value so far.
        """
        if len(self.looks) < 2 or not self.aligns or self.strength == 0:
            return None
        distances = [look.distance for look in self.looks]
        now = distances[-1]
        if now != now:  # NaN: the features are not finite
            return None
        return now <= 0.5 or now < 0.8 * max(d for d in distances if d == d)

    def epoch_summary(
        self, epoch: int, logs: Mapping[str, Any]
    ) -> tuple[str, list[dict[str, Any]], dict[str, float]]:
        """Summarizes one epoch, counted from 1, and its logs of Keras for the Shift tab.

        Returns a headline, the actions of the epoch as events (in epoch 1, also those from before
        training), and a value for each curve.
        """
        events = [
            {"kind": "action", "stream": "target", "text": a.what, "reason": a.reason}
            for a in self.actions
            if a.epoch == epoch or (epoch == 1 and a.epoch == 0)
        ]
        last = self.looks[-1]
        # The accuracy of the domain head; without a head, that of a linear rule.
        accuracy = logs.get("domain_accuracy", last.domain_accuracy)
        curves = {
            "alignment_strength": self.strength,
            "domain_accuracy": float(accuracy),
            "domain_chance": 0.5,
        }
        if "alignment_loss" in logs:
            curves["alignment_loss"] = float(logs["alignment_loss"])
        shares = last.shares[:MAX_CURVES]
        curves |= {f"class_frequency/{k}": float(share) for k, share in enumerate(shares)}
        return self._headline(), events, curves

    def __str__(self) -> str:
        if not self.looks:
            return "Nothing has been aligned yet: call `fit` with `target_data=`."
        first, last = self.looks[0], self.looks[-1]
        if last.distance != last.distance:  # NaN
            return f"{self._headline()}\n  The features are not finite: the training has diverged."
        lines = [
            self._headline(),
            f"  A linear rule tells source from target in {last.domain_accuracy:.0%} of cases, "
            f"{first.domain_accuracy:.0%} before training (50% is guessing; proxy A-distance "
            f"{last.distance:.2f}, was {first.distance:.2f}, of at most 2).",
        ]
        if last.source_accuracy == last.source_accuracy:  # False for NaN, the value in regression
            lines.append(
                f"  Accuracy on labelled source is {last.source_accuracy:.1%}. In the target the "
                f"model's mean confidence is {last.confidence:.0%}. These numbers use no labels of "
                "the target, so they prove nothing about the accuracy there."
            )
        lines += [f"  {self.outcome}"] if self.outcome else []
        lines += [f"  {action}." for action in self.actions]
        return "\n".join(lines)

    def _headline(self) -> str:
        if not self.aligns:
            done = "augmented source" if self.strength == 0 else "source and target"
            return f"Trained on the {done} ({self.method})."
        verdict = {
            True: "Alignment works",
            False: "Alignment does not work",
            None: "Alignment is off" if self.strength == 0 else "Alignment cannot be judged yet",
        }[self.works]
        return f"{verdict} ({self.method}, on the output of {self.feature_layer!r})."
