"""`Repair`: augmentation of training batches, and adaptation of batch norm after the last epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_shiftguard.adaptation.augmentation.controller import Change
from keras_shiftguard.adaptation.augmentation.in_step import POOL_SIZE, StepAugmentation
from keras_shiftguard.adaptation.batch_norm import BatchNormAdaptation, adapt_batch_norm
from keras_shiftguard.callback.optional_data import OptionalData
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.words.attribute_words import LABELS
from keras_shiftguard.domains.model import DomainAdaptationModel
from keras_shiftguard.explain.estimates.adaptation_worth import (
    MAX_SAMPLES,
    bounded_estimate,
    expected_worth,
    measured_worth,
)
from keras_shiftguard.explain.estimates.estimate import AccuracyEstimate
from keras_shiftguard.instrument.model_inputs import input_shapes
from keras_shiftguard.io.batches import Shape
from keras_shiftguard.io.source import open_source
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream
from tensorboard_plugin_shiftguard.metadata import CLOSED


class Repair:
    """The repairs that `adapt=` selects, in all fits of one guard.

    Attributes:
        augmentation: The augmentation of the latest fit; None if there was none.
        batch_norm: The change of batch norm after the latest fit, or None.
    """

    def __init__(self, adapt: tuple[str, ...], target: OptionalData) -> None:
        self.adapt = adapt
        self.target = target
        self.augmentation: StepAugmentation | None = None
        self.batch_norm: BatchNormAdaptation | None = None
        self._used: list[str] = []  # operations whose strength was ever changed
        self._worth: dict[str, Any] = {}  # of the latest fit, see `Worth.to_dict`

    def worth_of(self, model: keras.Model) -> dict[str, Any] | None:
        """Returns what the adaptation of a run gained: {} if unknown, None without adaptation."""
        is_pair = isinstance(model, DomainAdaptationModel)
        if is_pair and model.looks:
            return {"saw_target": True, **self._worth}
        return dict(self._worth) if self.acts else None

    @property
    def acts(self) -> bool:
        """Whether a repair changed, or will change, the input or the model in this fit."""
        strengths = {} if self.augmentation is None else self.augmentation.strengths
        return any(value > 0 for value in strengths.values()) or "batch_norm" in self.adapt

    def new_augmentation(self, shapes: Mapping[str, Shape]) -> StepAugmentation | None:
        """Returns the augmentation for a new fit of a model whose inputs have these shapes.

        Returns None if `adapt` does not include `"augmentation"`, or if the target cannot be read.
        """
        target_images: dict[str, Any] = {}  # by input name
        if "augmentation" in self.adapt and self.target.is_there:
            with self.target.reading():
                source = open_source(self.target.data, "target_data", shapes)
                target_images, _ = source.first_samples(POOL_SIZE)
        # If the target was given but cannot be read, there is no data to augment towards.
        if "augmentation" not in self.adapt or self.target.lost:
            return None
        return StepAugmentation(pool=target_images)

    def use(self, augmentation: StepAugmentation | None) -> None:
        """Begins a new fit with `augmentation`, or without augmentation if it is None.

        The augmentation starts with the strengths of the previous fit, if that fit had the same
        inputs.
        """
        last = self.augmentation
        if augmentation is not None and last is not None and augmentation.specs == last.specs:
            augmentation.restore(last.state())
        self.augmentation = augmentation
        self.batch_norm = None
        self._worth = {}

    def expect(
        self,
        report: ShiftReport | None,
        profiles: Mapping[str, InputProfile],
        log: RunWriter,
        step: int,
    ) -> str:
        """Returns a line on whether augmentation is likely to help; "" without augmentation.

        Call this method after `augment` has chosen the first strengths of the augmentation, and
        before an epoch uses them. The strengths show whether any augmentation reduces the shift.
        The comparison alone does not show this: for example, no augmentation can change the class
        frequencies.
        """
        if self.augmentation is None or not self.augmentation.is_built or report is None:
            return ""
        name = "target" if "target" in profiles else "validation"
        if name not in profiles:
            return ""
        found = [f for f in report.findings if (f.stream, f.against) == (name, "train")]
        sizes = profiles[name].num_samples, profiles["train"].num_samples
        has_means = any(value > 0 for value in self.augmentation.strengths.values())
        line = expected_worth(found, *sizes, name, has_means)
        log.write_worth(step, {"before": line})
        return f"ShiftGuard: {line}"

    def estimate(
        self, model: keras.Model, validation: Stream, seconds: float
    ) -> AccuracyEstimate | None:
        """Returns an estimate of the accuracy on the target; None if it cannot be estimated."""
        images, labels = validation.samples()
        inputs = getattr(model, "inputs", None)
        is_single = len(images) == 1 and (inputs is None or len(inputs) == 1)
        # The kept samples of a KerasHub task went through its preprocessor already, and `predict`
        # would apply it again.
        if labels is None or not is_single or getattr(model, "preprocessor", None) is not None:
            return None
        if not self.target.is_there:
            return None
        with self.target.reading():
            source = open_source(self.target.data, "target_data", input_shapes(model))
            target, _ = source.first_samples(MAX_SAMPLES)
        if self.target.lost or len(target) != 1:
            return None
        (x,), (current,) = images.values(), target.values()
        # Only one frame of each video is kept, and perhaps only a part of images without a fixed
        # size.
        if x.shape[1:] != current.shape[1:]:
            return None
        return bounded_estimate(model, current, (x, labels), seconds)

    def judge(
        self,
        now: AccuracyEstimate | None,
        before: AccuracyEstimate | None,
        log: RunWriter,
        step: int,
    ) -> None:
        """Keeps and logs whether the repairs helped, for the verdict.

        `before` is the estimate before batch norm was adapted, or None.
        """
        if now is None:
            return
        worth = measured_worth(now, before, "before batch norm was adapted")
        if worth.line:
            self._worth = worth.to_dict()
            log.write_worth(step, self._worth)

    def augment(self, train: InputProfile, target: InputProfile, log: RunWriter, step: int) -> str:
        """Widens or narrows the augmentation after an epoch; returns the changes as text."""
        augmentation = self.augmentation
        if augmentation is None:
            return ""
        changes = augmentation.update(train, target)
        events = [{"kind": "action", "text": str(c), "reason": c.reason} for c in changes]
        used = {c.operation for c in changes} | set(self._used)
        self._used = sorted(used)
        strengths = {k: v for k, v in augmentation.strengths.items() if v > 0 or k in used}
        active = [f"{name} {value:.2g}" for name, value in strengths.items() if value > 0]
        headline = (
            f"Training is augmented: {', '.join(active)}." if active else "Nothing is augmented."
        )
        curves = {f"strength/{name}": value for name, value in strengths.items()}
        curves |= {f"shift/{name}": value for name, value in augmentation.gaps.items()}
        before = augmentation.gaps_before.items()
        curves |= {f"shift_before/{name}": value for name, value in before}
        # The strengths are used from the next epoch on. Steps count from 0, epochs from 1.
        since = step + 2 if active else None
        log.write_adaptation(step, headline, events, curves, augmentation.state(), since)
        return _in_a_line(changes, augmentation.gaps)

    def recalibrate(self, model: keras.Model, log: RunWriter, step: int) -> str:
        """Adapts the batch-norm statistics to the target; returns the change as text."""
        if "batch_norm" not in self.adapt or not self.target.is_there:
            return ""
        with self.target.reading():
            self.batch_norm = adapt_batch_norm(model, self.target.data)
        if self.target.lost:
            return ""
        events = [{"kind": "action", "stream": "target", "text": str(self.batch_norm)}]
        headline = str(self.batch_norm).partition("\n")[0]
        log.write_adaptation(step, headline, events, {}, {})
        return f"ShiftGuard: {self.batch_norm}"

    def judge_pair(self, model: keras.Model, log: RunWriter, step: int) -> None:
        """Logs the outcome of the fit of a `DomainAdaptationModel`; skips other models."""
        if isinstance(model, DomainAdaptationModel) and model.judge() and model.judging is not None:
            self._worth = model.judging.worth().to_dict()
            log.write_worth(step, self._worth)

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as plain values."""
        augmentation = None if self.augmentation is None else self.augmentation.state()
        return {"augmentation": augmentation, "used": self._used}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self._used = list(state["used"])
        if self.augmentation is not None and state["augmentation"] is not None:
            self.augmentation.restore(state["augmentation"])


def _in_a_line(changes: Sequence[Change], gaps: Mapping[str, float]) -> str:
    """Returns the changes of the augmentation after an epoch in one line; "" without a change."""
    if not changes:
        return ""
    parts = [
        f"{change.operation} {'raised' if change.after > change.before else 'lowered'} to "
        f"{change.after:.2g}"
        for change in changes
    ]
    widest = max(gaps, key=lambda name: abs(gaps[name]), default="")
    left = abs(gaps.get(widest, 0.0))
    result = ", which closes the gap to the target"
    if left >= CLOSED:
        attribute = LABELS.get(widest.rpartition("/")[2], widest)
        result = f"; the widest gap left is {left:.1f} standard deviations ({attribute})"
    return f"ShiftGuard: augmentation {', '.join(parts)}{result}."


def log_alignment(model: keras.Model, log: RunWriter, step: int, logs: dict[str, Any]) -> None:
    """Logs the epoch summary of a `DomainAdaptationModel`; does nothing for other models."""
    if isinstance(model, DomainAdaptationModel) and model.looks:
        summary = model.alignment.epoch_summary(step + 1, logs)
        log.write_adaptation(step, *summary, {}, since=1)
        if step == 0 and model.expected:
            log.write_worth(step, {"before": model.expected})
