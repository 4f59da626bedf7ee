"""The watch over an adaptation: it looks after each epoch, and acts with a reason."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.checks import class_ids
from keras_shiftguard.adaptation.evidence import Evidence, look
from keras_shiftguard.adaptation.report import Action
from keras_shiftguard.data import to_numpy

MOST_LOOKED_AT = 512  # samples of each domain
CHUNK = 128
MOST_LOOKS = 30
# A loss of source accuracy that is more than chance, and more than nothing.
LEAST_DROP = 0.02
COLLAPSE = 0.5  # of the best source accuracy
HALVINGS = 3
TOLD_APART = 0.97  # accuracy of the domain head that is a lost game
PATIENCE = 2
# Class by class alignment rests on the model's own answers in the target: they
# must not be mere guesses.
LEAST_ACCURACY = 0.8
LEAST_AGREEMENT = 0.5
CONDITIONAL_STRENGTH = 5.0
LARGEST_WEIGHT = 5.0
# Estimated class frequencies presume that only they changed. Where the model
# still mixes up classes in the target, what it predicts is wrong instead, and
# weights would make it worse: they wait until alignment has done its part.
SURE_AGREEMENT = 0.9
SURE_CONFIDENCE = 0.85


class AlignmentWatch(keras.callbacks.Callback):
    """Looks at both domains after each epoch; backs off where alignment harms.

    Args:
        owner: The `DomainAdaptationModel`.
        source: Inputs and labels of the source that are looked at, best those
            that are not trained on.
        target: Inputs of the target.
        held_out: Whether the source samples are not trained on.
        epochs: Length of the training. It looks at most `MOST_LOOKS` times.
    """

    def __init__(
        self,
        owner: Any,
        source: tuple[Any, Any],
        target: Any,
        held_out: bool,
        epochs: int,
    ) -> None:
        super().__init__()
        self.owner = owner
        self.inputs, labels = source
        self.target = target
        self.held_out = held_out
        self.every = max(1, epochs // MOST_LOOKS)
        classes = owner.num_classes
        self.labels = class_ids(to_numpy(labels), classes) if classes else None
        self._best = 0.0
        self._bad = 0
        self._lost = 0
        self._halvings = 0
        self._healthy: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        _ = self.model  # on JAX: brings the variables up to date
        self.owner.looks = [self._look(0)]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every:
            return
        _ = self.model
        seen = self._look(epoch + 1)
        self.owner.looks.append(seen)
        if self.owner.is_off or not self.owner.protect:
            return
        if self.labels is not None:
            if self._source_suffers(seen):
                return
            self._follow_label_shift(seen)
            self._choose(seen)
        self._check_game(seen, logs or {})

    def _look(self, epoch: int) -> Evidence:
        source = self._ask(self.inputs)
        target = self._ask(self.target)
        return look(epoch, source, self.labels, target)

    def _ask(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """Features and class probabilities, in inference mode."""
        features, outputs = [], []
        size = len(keras.tree.flatten(x)[0])
        for start in range(0, size, CHUNK):
            part = keras.tree.map_structure(lambda a: a[start : start + CHUNK], x)  # noqa: B023
            f, out = self.owner.split.both(part, training=False)
            p = self.owner.alignment_layer.probabilities(out) if self.labels is not None else out
            f = ops.reshape(ops.cast(f, "float32"), (ops.shape(f)[0], -1))
            features.append(ops.convert_to_numpy(f))
            outputs.append(ops.convert_to_numpy(p))
        return np.concatenate(features), np.concatenate(outputs)

    def _source_suffers(self, seen: Evidence) -> bool:
        """Backs off where the source is classified worse than it was."""
        accuracy, n = seen.source_accuracy, len(self.labels) if self.labels is not None else 1
        chance = 2 * np.sqrt(max(self._best * (1 - self._best), 1e-4) / n)
        if accuracy >= self._best - max(LEAST_DROP, chance):
            self._bad = 0
            if accuracy >= self._best:
                self._best = accuracy
                self._healthy = [ops.convert_to_numpy(v) for v in self.owner.base.variables]
            return False
        self._bad += 1
        fall = f"accuracy on labelled source fell from {self._best:.1%} to {accuracy:.1%}"
        if accuracy < COLLAPSE * self._best and self._healthy is not None:
            for variable, value in zip(self.owner.base.variables, self._healthy, strict=True):
                variable.assign(value)
            self._back_off(seen.epoch, "weights of the best epoch restored, ", fall)
            return True
        if self._bad >= PATIENCE:
            self._bad = 0
            self._back_off(seen.epoch, "", f"{fall} for {PATIENCE} epochs")
            return True
        return False

    def _back_off(self, epoch: int, also: str, reason: str) -> None:
        self._halvings += 1
        if self._halvings >= HALVINGS:
            self.owner.switch_off(reason, epoch=epoch)
            return
        self.owner.set_strength(self.owner.current_strength / 2)
        strength = self.owner.current_strength
        self.act(epoch, f"{also}strength halved to {strength:.3g}", reason)

    def _follow_label_shift(self, seen: Evidence) -> None:
        """Weights for classes, where their mix in the target surely differs."""
        shift = seen.label_shift
        if shift is None or not self.owner.label_shift or self.labels is None:
            return
        if seen.agreement < SURE_AGREEMENT or seen.confidence < SURE_CONFIDENCE:
            return
        share = np.bincount(self.labels, minlength=len(shift.weights)) / len(self.labels)
        differs = (shift.lower > share) | (shift.upper < share)
        weights = np.clip(shift.weights, 1 / LARGEST_WEIGHT, LARGEST_WEIGHT)
        if not shift.identified or not differs.any():
            weights = np.ones_like(weights)
        weights = np.where(share > 0, weights, 1.0)
        old = ops.convert_to_numpy(self.owner.alignment_layer.class_weights)
        weights = 0.5 * old + 0.5 * weights  # one look is no proof
        weights = weights / max(float((share * weights).sum()), 1e-6)
        self.owner.alignment_layer.class_weights.assign(weights.astype("float32"))
        if np.abs(weights - old).max() > 0.2:
            worst = int(np.abs(np.log(np.maximum(weights, 1e-3))).argmax())
            self.act(
                seen.epoch,
                f"classes weighted from {weights.min():.2f} to {weights.max():.2f}",
                f"class {worst} is estimated at {shift.frequencies[worst]:.1%} of the target "
                f"({shift.lower[worst]:.1%} to {shift.upper[worst]:.1%}) and is {share[worst]:.1%} "
                "of the source",
            )

    def _choose(self, seen: Evidence) -> None:
        """`auto`: from the marginal to the class-by-class distance, or back."""
        layer = self.owner.alignment_layer
        if layer.method != "auto":
            return
        is_on = float(ops.convert_to_numpy(layer.conditional)) > 0
        good = seen.source_accuracy >= LEAST_ACCURACY and seen.agreement >= LEAST_AGREEMENT
        numbers = (
            f"accuracy on labelled source is {seen.source_accuracy:.1%}, and head and nearest "
            f"class mean agree in {seen.agreement:.0%} of the target"
        )
        if good and not is_on:
            layer.conditional.assign(1.0)
            self.owner.set_strength(self.owner.current_strength * CONDITIONAL_STRENGTH)
            self.act(seen.epoch, "aligned class by class from here on", numbers)
        elif is_on and seen.agreement < 0.8 * LEAST_AGREEMENT:
            layer.conditional.assign(0.0)
            self.owner.set_strength(self.owner.current_strength / CONDITIONAL_STRENGTH)
            self.act(seen.epoch, "aligned as a whole again", numbers)

    def _check_game(self, seen: Evidence, logs: dict[str, Any]) -> None:
        """Adversarial: a head that always wins teaches nothing."""
        accuracy = logs.get("domain_accuracy")
        if accuracy is None or self.owner.alignment_layer.head is None:
            return
        first = self.owner.looks[0].distance
        self._lost = self._lost + 1 if accuracy > TOLD_APART and seen.distance > first else 0
        if self._lost >= PATIENCE + 1:
            self._lost = 0
            self._back_off(
                seen.epoch,
                "",
                f"the domain head is right in {accuracy:.0%} of cases and the features are "
                "further apart than before training",
            )

    def act(self, epoch: int, what: str, reason: str) -> None:
        """Keeps a record of an action, and says it."""
        action = Action(epoch, what, reason)
        self.owner.actions.append(action)
        self.owner.say(str(action))
