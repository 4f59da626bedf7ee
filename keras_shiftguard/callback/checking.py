"""`Checking`: makes the experiments and checks of a run, and keeps their states."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from keras_shiftguard.callback.checks import CHECKS, EXPERIMENTS, labels
from keras_shiftguard.callback.checks.check import Check, Epoch, Told, is_finite
from keras_shiftguard.callback.judged_samples import JudgedSamples
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.spending import Spending
from keras_shiftguard.errors import warn
from keras_shiftguard.instrument.undisturbed import undisturbed

FAILED = "failed"  # state of a check that raised an error


class Checking:
    """Makes all checks of an epoch. A check that fails warns, and is not made again.

    Attributes:
        states: States of the checks, by name: a tree for `profiles.storage`.
        curves: Numbers of the latest epoch for the log's curves, by name.
    """

    def __init__(
        self,
        model: keras.Model,
        shift: ShiftWatch,
        sync: Callable[[], None],
        is_logged: bool = False,
    ) -> None:
        self._model, self._shift, self._is_logged = model, shift, is_logged
        self.curves: dict[str, float] = {}
        self._spending = Spending()
        self._samples = JudgedSamples(model, self._spending, sync)
        self.states: dict[str, Any] = {}

    def experiment(self, epoch: Epoch) -> None:
        """Makes the checks of a fit that run the model, and decides which findings are questions.

        Each experiment is made with the present weights on the samples that the guard keeps, at
        most 1024 of each stream. If experiments take too long, fewer samples are used, or none, see
        `Spending`.
        """
        self.curves = {}
        main = self._complete(epoch).main
        has_failed = FAILED in (self.states.get(name) for name in EXPERIMENTS)
        # The weights of a training that has diverged are NaN, and predict nothing.
        is_due = self._shift.tolerance is not None and not has_failed
        is_due = is_due and is_finite((epoch.logs or {}).get("loss"))
        # If no images differ, wrong classes are the likelier cause, and come first: other class
        # frequencies are no difference of the images. Of a table, two columns may be exchanged,
        # which no comparison shows, and images may not fit their masks.
        differ = main is not None and any(f.kind != "label" for f in main.findings.values())
        alike = main is not None and not differ and main.current.labels.are_classes
        alike = alike and not _has_tables(epoch)
        first = ["schedule", "other_rows", "labels"] if alike else []
        try:
            if is_due and any(pair.stream == "validation" for pair in self._shift.pairs):
                with undisturbed(self._model), self._spending.measuring():
                    self._look_at_all(first, epoch)
        except Exception as error:  # the user's own `call` may raise anything
            self.states |= dict.fromkeys(EXPERIMENTS, FAILED)
            warn(f"ShiftGuard could not measure what shifts cost ({error!r}).")
        finally:
            self._samples.forget()
        self._shift.mark_open()

    def check(self, epoch: Epoch) -> None:
        """Makes the checks that do not run the model."""
        for name, look in CHECKS.items():
            if self.states.get(name) == FAILED:
                continue
            try:
                told = self._look(name, look, epoch)
            except Exception as error:
                self.states[name] = FAILED
                warn(f"ShiftGuard could not make the check {name!r} ({error!r}).")
                continue
            self._shift.apply(told)
            if told.warning:
                warn(told.warning)

    def _look_at_all(self, first: list[str], epoch: Epoch) -> None:
        """Makes all experiments, those named in `first` before the others."""
        made = set()
        for number, name in enumerate([*first, *EXPERIMENTS]):
            if name in made:
                continue
            before = self.states.get(name)
            told = self._look(name, EXPERIMENTS[name], epoch)
            if number < len(first) and name == "labels" and labels.explain_little(self.states):
                self.states[name] = before  # labels are looked at again, after the samples
                continue
            made.add(name)
            self._shift.apply(told)

    def _look(self, name: str, look: Check, epoch: Epoch) -> Told:
        self.states[name], told = look(self.states.get(name), self._complete(epoch))
        self.curves |= told.curves
        return told

    def _complete(self, epoch: Epoch) -> Epoch:
        """Returns the epoch with what the guard knows by now."""
        return replace(
            epoch,
            warned_of=self._shift.warned_of,
            pairs=self._shift.pairs,
            is_augmented=self._shift.is_augmented,
            tolerance=float(self._shift.tolerance or 0.0),
            samples=self._samples,
            spending=self._spending,
            states=self.states,
            is_logged=self._is_logged,
        )


def _has_tables(epoch: Epoch) -> bool:
    """Whether an input of validation is a table, a series or a text."""
    sketches = epoch.streams["validation"].sketches.values()
    return any(sketch.spec.layout == "features" for sketch in sketches)
