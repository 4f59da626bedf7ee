"""The repair inside a fit: augmentation in the step, batch norm after the last epoch."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_shiftguard.adaptation.augmentation.in_step import POOL, StepAugmentation
from keras_shiftguard.adaptation.batch_norm import BatchNormAdaptation, adapt_batch_norm
from keras_shiftguard.adaptation.domains.model import DomainAdaptationModel
from keras_shiftguard.callback.optional_data import Given
from keras_shiftguard.io.batches import first_samples
from keras_shiftguard.log.run_log import RunLog
from keras_shiftguard.profiles import InputProfile


class Repair:
    """What `adapt=` asks for, in every fit of one guard, with the log of what it did.

    Args:
        adapt: Out of `"augmentation"` and `"batch_norm"`.
        target: Unlabelled data of the target, if there is any.

    Attributes:
        augmentation: Of the latest fit; None if it was not asked for.
        batch_norm: What the latest fit did to batch norm, if anything.
    """

    def __init__(self, adapt: tuple[str, ...], target: Given) -> None:
        self.adapt = adapt
        self.target = target
        self.augmentation: StepAugmentation | None = None
        self.batch_norm: BatchNormAdaptation | None = None
        self._used: list[str] = []  # operations that were ever on

    def new_augmentation(self) -> StepAugmentation | None:
        """The augmentation for a fit that begins, if it is asked for."""
        pool: dict[str, Any] = {}
        if "augmentation" in self.adapt and self.target.is_there:
            with self.target.reading():
                pool, _ = first_samples(self.target.data, POOL)
        # Without the target that was asked for, nothing says what to augment to.
        if "augmentation" not in self.adapt or self.target.lost:
            return None
        return StepAugmentation(pool=pool)

    def use(self, augmentation: StepAugmentation | None) -> None:
        """Goes on with it, where the last fit ended."""
        if augmentation is None:
            return
        if self.augmentation is not None and augmentation.is_built:
            augmentation.restore(self.augmentation.state())
        self.augmentation = augmentation

    def augment(self, train: InputProfile, target: InputProfile, log: RunLog, step: int) -> str:
        """Widens or narrows the augmentation, once an epoch; says what changed.

        Args:
            train: The latest pass of training.
            target: The target, or validation where there is none.
            log: Where it is written.
            step: Epoch, counted from 0.
        """
        augmentation = self.augmentation
        if augmentation is None:
            return ""
        changes = augmentation.update(train, target)
        events = [{"kind": "action", "text": str(c), "reason": c.reason} for c in changes]
        used = {c.operation for c in changes} | set(self._used)
        self._used = sorted(used)
        strengths = {k: v for k, v in augmentation.strengths.items() if v > 0 or k in used}
        on = [f"{name} {value:.2g}" for name, value in strengths.items() if value > 0]
        headline = f"Training is augmented: {', '.join(on)}." if on else "Nothing is augmented."
        curves = {f"strength/{name}": value for name, value in strengths.items()}
        curves |= {f"shift/{name}": value for name, value in augmentation.gaps.items()}
        log.write_adaptation(step, headline, events, curves, augmentation.state())
        return "\n".join(f"ShiftGuard: {change}" for change in changes)

    def recalibrate(self, model: keras.Model, log: RunLog, step: int) -> str:
        """Gives batch norm the statistics of the target, after a fit; says what changed."""
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

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        augmentation = None if self.augmentation is None else self.augmentation.state()
        return {"augmentation": augmentation, "used": self._used}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues where `state()` was taken."""
        self._used = list(state["used"])
        if self.augmentation is not None and state["augmentation"] is not None:
            self.augmentation.restore(state["augmentation"])


def log_alignment(model: keras.Model, log: RunLog, step: int, logs: dict[str, Any]) -> None:
    """What a `DomainAdaptationModel` did in an epoch, for the Shift tab."""
    if isinstance(model, DomainAdaptationModel) and model.looks:
        story = model.alignment.story(step + 1, logs)
        log.write_adaptation(step, *story, {})
