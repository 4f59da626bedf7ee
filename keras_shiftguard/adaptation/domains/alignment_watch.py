"""The watch over an adaptation: it looks after each epoch, and acts with a reason."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence, look
from keras_shiftguard.adaptation.domains.report import Action
from keras_shiftguard.adaptation.domains.schedule import Course
from keras_shiftguard.io.batches import to_numpy
from keras_shiftguard.statistics.classes import host_class_ids

MOST_LOOKED_AT = 1024  # samples of each domain
CHUNK = 128
MOST_LOOKS = 30
COLLAPSE = 0.5  # of the best source accuracy
HALVINGS = 3
PATIENCE = 2
TOLD_APART = 0.97  # accuracy of the domain head that is a lost game


class AlignmentWatch(keras.callbacks.Callback):
    """Looks at both domains after each epoch; backs off where alignment harms.

    Args:
        owner: The `DomainAdaptationModel`.
        source: Inputs and labels of the source that are looked at, best those
            that are not trained on.
        target: Inputs of the target.
        held_out: Whether the source samples are not trained on.
        epochs: First and last epoch of the training, and how many are on the
            source alone. It looks at most `MOST_LOOKS` times.
    """

    def __init__(
        self,
        owner: Any,
        source: tuple[Any, Any],
        target: Any,
        held_out: bool,
        epochs: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.owner = owner
        self.inputs, labels = source
        self.target = target
        self.held_out = held_out
        self.first, self.last, alone = epochs
        self.every = max(1, self.last // MOST_LOOKS)
        classes = owner.num_classes
        self.labels = host_class_ids(to_numpy(labels)) if classes else None
        self.course = None
        if self.labels is not None:
            self.course = Course(owner, self.labels, (alone, self.last), self.act)
        self._best = 0.0
        self._bad = 0
        self._lost = 0
        self._halvings = 0
        self._healthy: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        _ = self.model  # on JAX: brings the variables up to date
        seen = self._look(self.first)
        self.owner.looks = [seen]
        self._go_on(seen)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every:
            return
        _ = self.model
        seen = self._look(epoch + 1)
        self.owner.looks.append(seen)
        if self.owner.is_off:
            return
        if self.owner.protect and self.labels is not None and self._source_suffers(seen):
            return
        self._go_on(seen)
        if self.owner.protect:
            self._check_game(seen, logs or {})

    def _go_on(self, seen: Evidence) -> None:
        """Alignment begins, or goes on under terms that follow what is seen."""
        course = self.course
        if course is None:
            return
        resumed = course.has_begun and seen is self.owner.looks[0]
        if not course.has_begun or resumed:
            ripe = course.is_ripe(seen) or not self.owner.protect and seen.epoch >= course.first
            if not (ripe or resumed):
                return
            course.begin(seen)
        if self.owner.protect:
            course.follow(seen)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.course is not None and not self.course.has_begun and not self.owner.is_off:
            seen = self.owner.looks[-1]
            self.owner.set_strength(0.0)
            self.act(
                self.last,
                "nothing was aligned",
                "it never became clear where the classes lie in the target: both readings "
                f"agree in {seen.classes.agreement:.0%} of it, and the model's own answers with "
                f"them in {seen.agreement:.0%}",
            )

    def _look(self, epoch: int) -> Evidence:
        source = self._ask(self.inputs)
        target = self._ask(self.target)
        groups = self.course.groups if self.course is not None else None
        return look(epoch, source, self.labels, target, groups)

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
        accuracy = seen.source_accuracy
        learning = self.course is not None and not self.course.has_begun
        if learning or not seen.source_fell(self._best):
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
