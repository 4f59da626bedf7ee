"""`AlignmentWatch`: a callback that measures an adaptation and reduces alignment that harms."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.evidence import Evidence, measure_evidence
from keras_shiftguard.adaptation.domains.protocol import AdaptationModel
from keras_shiftguard.adaptation.domains.report import Action
from keras_shiftguard.adaptation.domains.schedule import AlignmentSchedule
from keras_shiftguard.io.batches import to_numpy
from keras_shiftguard.statistics.classes import host_class_ids

MAX_SAMPLES = 1024  # samples of each domain in a measurement
CHUNK = 128  # samples in one call of the model
# A training of fewer than twice this many epochs is measured after each epoch. A longer one is
# measured after every second, third, ... epoch. Either way, fewer than twice this many measurements
# follow the one before training.
MAX_MEASUREMENTS = 30
COLLAPSE = 0.5  # share of the best source accuracy, below which the weights are restored
MAX_HALVINGS = 3  # instead of the third halving, alignment is switched off
PATIENCE = 2  # bad measurements in a row before the strength is halved
MAX_HEAD_ACCURACY = 0.97  # of the domain head; above it, its gradient teaches the features nothing


class AlignmentWatch(keras.callbacks.Callback):
    """Measures both domains after each epoch, and reduces alignment that harms.

    A training of `2 * MAX_MEASUREMENTS` epochs or more is measured less often.

    Args:
        model: The `DomainAdaptationModel`.
        source: Inputs and labels of the source samples that are measured,
            preferably samples that are not trained on.
        target: Inputs of the target samples that are measured.
        held_out: Whether the source samples are not trained on.
        epochs: `(first, last, source_only)`: the number of epochs that are finished
            when this fit begins, when it ends, and when the source has been learned
            alone.
    """

    def __init__(
        self,
        model: AdaptationModel,
        source: tuple[Any, Any],
        target: Any,
        held_out: bool,
        epochs: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.domain_model = model  # Keras itself sets `model`
        self.inputs, labels = source
        self.target = target
        self.held_out = held_out
        self.first, self.last, source_only = epochs
        self.every = max(1, self.last // MAX_MEASUREMENTS)  # epochs between measurements
        self.labels = host_class_ids(to_numpy(labels)) if model.num_classes else None
        self.schedule = None
        if self.labels is not None:
            self.schedule = AlignmentSchedule(
                model, self.labels, (source_only, self.last), self.record_action
            )
        self._best_accuracy = 0.0
        self._num_bad = 0  # measurements in a row with a worse source accuracy
        self._num_head_wins = 0  # measurements in a row whose domain head is nearly always right
        self._num_halvings = 0
        self._best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        _ = self.model  # on JAX: brings the variables up to date
        evidence = self._measure(self.first)
        self.domain_model.looks = [evidence]
        self._start_or_update(evidence)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every:
            return
        _ = self.model
        model = self.domain_model
        evidence = self._measure(epoch + 1)
        model.looks.append(evidence)
        if model.is_off:
            return
        if model.protect and self.labels is not None and self._protect_source(evidence):
            return
        self._start_or_update(evidence)
        if model.protect:
            self._check_domain_head(evidence, logs or {})

    def _start_or_update(self, evidence: Evidence) -> None:
        """Starts alignment if it is off and may start; updates its settings once it is on."""
        schedule, model = self.schedule, self.domain_model
        if schedule is None:
            return
        # The first measurement of a fit that continues an aligned one is the new reference.
        is_resumed = schedule.has_started and evidence is model.looks[0]
        if not schedule.has_started or is_resumed:
            is_due = not model.protect and evidence.epoch >= schedule.first
            if not (schedule.can_start(evidence) or is_due or is_resumed):
                return
            schedule.start(evidence)
        if model.protect:
            schedule.update(evidence)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        model = self.domain_model
        if self.schedule is None or self.schedule.has_started or model.is_off:
            return
        evidence = model.looks[-1]
        assert evidence.classes is not None
        model.set_strength(0.0)
        self.record_action(
            self.last,
            "nothing was aligned",
            "it never became clear which classes the target's samples have: the two estimates "
            f"agree in {evidence.classes.agreement:.0%} of the samples, and the model's "
            f"predictions agree with them in {evidence.agreement:.0%}",
        )

    def _measure(self, epoch: int) -> Evidence:
        """Measures the model after `epoch` epochs."""
        source = self._predict(self.inputs)
        target = self._predict(self.target)
        groups = self.schedule.groups if self.schedule is not None else None
        return measure_evidence(epoch, source, self.labels, target, groups)

    def _predict(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns features and class probabilities of inputs, in inference mode.

        Returns:
            `(samples, features)` and `(samples, classes)`. For regression, the outputs
            take the place of the probabilities.
        """
        model = self.domain_model
        features, outputs = [], []
        size = len(keras.tree.flatten(x)[0])
        for start in range(0, size, CHUNK):
            part = keras.tree.map_structure(lambda a: a[start : start + CHUNK], x)  # noqa: B023
            f, out = model.split.features_and_outputs(part, training=False)
            p = model.alignment_layer.probabilities(out) if self.labels is not None else out
            f = ops.reshape(ops.cast(f, "float32"), (ops.shape(f)[0], -1))
            features.append(ops.convert_to_numpy(f))
            outputs.append(ops.convert_to_numpy(p))
        return np.concatenate(features), np.concatenate(outputs)

    def _protect_source(self, evidence: Evidence) -> bool:
        """Reduces the strength if source accuracy fell; returns whether it reduced it."""
        accuracy = evidence.source_accuracy
        is_learning = self.schedule is not None and not self.schedule.has_started
        if is_learning or not evidence.source_fell(self._best_accuracy):
            self._num_bad = 0
            if accuracy >= self._best_accuracy:
                self._best_accuracy = accuracy
                variables = self.domain_model.base.variables
                self._best_weights = [ops.convert_to_numpy(v) for v in variables]
            return False
        self._num_bad += 1
        fall = f"accuracy on labelled source fell from {self._best_accuracy:.1%} to {accuracy:.1%}"
        if accuracy < COLLAPSE * self._best_accuracy and self._best_weights is not None:
            variables = self.domain_model.base.variables
            for variable, value in zip(variables, self._best_weights, strict=True):
                variable.assign(value)
            self._reduce_strength(evidence.epoch, "weights of the best epoch restored, ", fall)
            return True
        if self._num_bad >= PATIENCE:
            self._num_bad = 0
            self._reduce_strength(
                evidence.epoch, "", f"{fall}, in {PATIENCE} measurements in a row"
            )
            return True
        return False

    def _reduce_strength(self, epoch: int, first_action: str, reason: str) -> None:
        """Halves the strength; call number `MAX_HALVINGS` switches alignment off instead.

        Args:
            epoch: Number of finished epochs.
            first_action: What was done before, for the record; ends with ", " if not empty.
            reason: The reason, for the record.
        """
        model = self.domain_model
        self._num_halvings += 1
        if self._num_halvings >= MAX_HALVINGS:
            model.switch_off(reason, epoch=epoch)
            return
        model.set_strength(model.current_strength / 2)
        strength = model.current_strength
        self.record_action(epoch, f"{first_action}strength halved to {strength:.3g}", reason)

    def _check_domain_head(self, evidence: Evidence, logs: dict[str, Any]) -> None:
        """Reduces the strength if the domain head is nearly always right.

        It must be right in `PATIENCE + 1` measurements in a row, and in each the features of
        the domains must be further apart than before training.
        """
        accuracy = logs.get("domain_accuracy")
        if accuracy is None or self.domain_model.alignment_layer.head is None:
            return
        before = self.domain_model.looks[0].distance
        head_wins = accuracy > MAX_HEAD_ACCURACY and evidence.distance > before
        self._num_head_wins = self._num_head_wins + 1 if head_wins else 0
        if self._num_head_wins >= PATIENCE + 1:
            self._num_head_wins = 0
            self._reduce_strength(
                evidence.epoch,
                "",
                f"the domain head is right in {accuracy:.0%} of cases and the features are "
                "further apart than before training",
            )

    def record_action(self, epoch: int, what: str, reason: str) -> None:
        """Adds an action to the model's `actions`, and prints it.

        Args:
            epoch: Number of finished epochs.
            what: The change.
            reason: The reason for it, with numbers.
        """
        action = Action(epoch, what, reason)
        self.domain_model.actions.append(action)
        self.domain_model.say(str(action))
