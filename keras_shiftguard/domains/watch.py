"""`AdaptationWatch`: a callback that measures the features and predictions in both domains."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.domains.auto import FIRST_STAGE, AutoGuard
from keras_shiftguard.domains.evidence import Evidence, measure_evidence
from keras_shiftguard.domains.pair import flat
from keras_shiftguard.domains.pair_model import PairModel
from keras_shiftguard.instrument.layer_calls import no_gradients
from keras_shiftguard.instrument.model_outputs import fingerprint
from keras_shiftguard.instrument.steps.processes import has_several_processes
from keras_shiftguard.io.batches import num_samples, to_numpy
from keras_shiftguard.statistics.classes import host_class_ids
from keras_shiftguard.statistics.state import on_host

# A training with fewer than twice this many epochs is measured after each epoch. A longer training
# is measured after every second, third, ... epoch. A convention.
MAX_MEASUREMENTS = 15


class AdaptationWatch(keras.callbacks.Callback):
    """Keras callback that measures both domains in inference mode.

    It measures before training and after each epoch; in long trainings less often, see
    `MAX_MEASUREMENTS`. The last epoch is always measured. With "auto" it also measures when the
    first stage ends, which may be in the middle of an epoch. A training that resumes after the
    first stage has no weights of it, and no `AutoGuard`.

    Args:
        model: The `DomainAdaptationModel`; the measurements are added to its list `looks`.
        source: Inputs and labels of samples, preferably some that are not trained on.
        target: Inputs of target samples.
        epochs: Numbers of finished epochs at the beginning and at the end of this fit.
        batch_size: Number of samples in one call of the model.
    """

    def __init__(
        self,
        model: PairModel,
        source: tuple[Any, Any],
        target: Any,
        epochs: tuple[int, int],
        batch_size: int,
    ) -> None:
        super().__init__()
        self.domain_model = model  # Keras itself sets `model`
        self.inputs, labels = source
        self.target = target
        self.batch_size = batch_size
        self.start, self.last = epochs
        self.finished = self.measured = self.start  # epochs so far, and at the latest measurement
        self.weights = ""  # a fingerprint of the weights at the latest measurement
        self.every = max(1, self.last // MAX_MEASUREMENTS)  # epochs between measurements
        # Training steps so far, those before the present epoch, and those of the first stage.
        self.steps_done = 0
        self.steps_before: int | None = None
        self.first_stage = float("inf")  # known when the first epoch begins
        self.labels = host_class_ids(to_numpy(labels)) if model.num_classes else None
        is_auto = model.method == "auto" and self.labels is not None
        self.guard: AutoGuard | None = AutoGuard(model) if is_auto else None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.measure(self.start, acts=False)
        knows_task = self.domain_model.looks[-1].knows_task(self.domain_model.num_classes)
        if self.domain_model.judging is not None and not self.start and knows_task:
            self.domain_model.judging.keep("before adaptation")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.steps_before is None and self.guard is not None:
            self._begin_stages(self.guard.model)
        self.steps_before = self.steps_done

    def _begin_stages(self, model: PairModel) -> None:
        # Only now: `BackupAndRestore` may just have loaded the steps.
        self.steps_done, steps = int(on_host(model.steps_done)), float(on_host(model.steps))
        if self.steps_done < FIRST_STAGE * steps:
            self.first_stage = FIRST_STAGE * steps
            steps_in_epoch = steps / self.last
            begin = min(int(np.ceil(self.first_stage) / steps_in_epoch) + 1, self.last)
            model.say(
                f"The second stage of 'auto' begins in epoch {begin} of {self.last}. What the "
                "target itself teaches comes after it, so judge the model by its last epochs."
            )
            return
        self.guard = None
        if model.current_strength:
            model.say(
                "This training resumes after the first stage of 'auto', whose weights a checkpoint "
                "does not hold: they cannot be restored if AdaMatch does harm."
            )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps_done = (self.steps_before or 0) + batch + 1
        if self.steps_done >= self.first_stage:
            self.first_stage = float("inf")
            if self.guard is not None:
                self.guard.begin(self.evaluate(self.finished + 1))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.finished = epoch + 1
        if self.finished % self.every == 0 or self.finished == self.last:
            self.measure(self.finished)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.measured < self.finished:  # the training was stopped early
            self.measure(self.finished)

    def settle(self) -> None:
        """Measures once more after `fit`, if the weights are no longer those last measured.

        Keras writes the averages of `use_ema=True` to the model after the last epoch, a callback
        such as `EarlyStopping` restores the best weights, and `AutoGuard` those of the first stage.
        """
        if self.weights != self._fingerprint():
            self.measure(self.finished, acts=False)

    def _fingerprint(self) -> str:
        # One of several processes cannot copy all weights.
        return "" if has_several_processes() else fingerprint(self.domain_model.base)

    def measure(self, epoch: int, acts: bool = True) -> None:
        """Measures the model after `epoch` epochs, and adds the result to its `looks`.

        `acts` is whether the `AutoGuard`, if any, acts on the result.
        """
        evidence = self.evaluate(epoch)
        if acts and self.guard is not None:
            self.guard.check(evidence, num_samples(self.inputs))
        self.domain_model.looks.append(evidence)
        self.measured = epoch

    def evaluate(self, epoch: int) -> Evidence:
        """Measures the model in or after an epoch, counted from 1; 0 is before training."""
        _ = self.model  # on JAX: brings the variables up to date
        self.weights = self._fingerprint()
        source, target = self.predict(self.inputs), self.predict(self.target)
        return measure_evidence(epoch, source, self.labels, target)

    def predict(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns features and class probabilities of inputs, in inference mode.

        For regression, the outputs take the place of the probabilities.
        """
        model = self.domain_model
        features, outputs = [], []
        for start in range(0, num_samples(x), self.batch_size):
            rows = slice(start, start + self.batch_size)
            part = keras.tree.map_structure(lambda a: a[rows], x)  # noqa: B023
            with no_gradients():
                f, out = model.split.features_and_outputs(part, training=False)
                p = out if self.labels is None else model.probabilities(out)
            features.append(ops.convert_to_numpy(flat(f)))
            outputs.append(ops.convert_to_numpy(p))
        return np.concatenate(features), np.concatenate(outputs)
