"""`GapWatch`: why validation is lower than training, asked in a fit and after its last epoch."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_shiftguard.account.account import Logged, account
from keras_shiftguard.account.likelihoods import Classes, SeveralLabels
from keras_shiftguard.account.report import GapReport
from keras_shiftguard.account.rest import MIN_LEARNT, FirstPass
from keras_shiftguard.account.samples import Case, Predict
from keras_shiftguard.callback.account_case import CaseMaker
from keras_shiftguard.callback.checks.check import Epoch, is_finite
from keras_shiftguard.callback.shift_watch import MAIN, ShiftWatch
from keras_shiftguard.callback.spending import Spending, is_in_schedule
from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.errors import warn
from keras_shiftguard.instrument.batch_norm_anew import Values
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.state import read

LAST_QUARTER = 0.75  # of the batches of an epoch are before it. A convention.
# The weights of an epoch are kept if they take at most this part of the free memory. A convention.
PART_OF_MEMORY = 0.25


class GapWatch:
    """Makes the account of a fit: after its last epoch, and on a schedule while data differ.

    Attributes:
        is_final: Whether the latest account is of the last weights.
        report: The latest account; None before the first one, and where there is none: without
            labels, without validation, or with a loss that judges no single sample.
    """

    def __init__(self, model: keras.Model, shift: ShiftWatch, sync: Callable[[], None]) -> None:
        self._model, self._shift, self._sync = model, shift, sync
        self._spending = Spending()
        self._maker = CaseMaker(model, self._spending, sync)
        self.report: GapReport | None = None
        self._seen: list[tuple[int, dict[str, float]]] = []  # Keras's logs of batches
        self._first: tuple[dict[str, float], int, int] | None = None  # see `_FirstEpoch`
        self._weights: Values | None = None
        self.is_final = False  # whether the latest account is of the last weights
        self._has_failed = False
        self._is_open = False  # whether the latest account has a cause that the one before had not

    def note_batch(self, batch: int, logs: Mapping[str, Any] | None) -> None:
        """Keeps Keras's running means of a batch, until something was learnt."""
        if self._first is None and logs and self._shift.tolerance is not None:
            self._seen.append((batch, _numbers(logs)))

    def start_epoch(self) -> None:
        """Forgets the batches of the epoch before."""
        self._seen.clear()

    def end_epoch(
        self, number: int, logs: Mapping[str, Any], profiles: Mapping[str, InputProfile]
    ) -> None:
        """Notes the first epoch in which something was learnt."""
        if self._first is not None or len(self._seen) < 2 or not watched(logs):
            return
        last, ahead = self._ahead()
        if not ahead:
            return
        name = watched(logs)
        training = profiles.get("train", InputProfile())
        if name != "loss" and training.labels.are_classes and training.labels.counts.sum():
            usual = float(training.labels.counts.max() / training.labels.counts.sum())
            learnt = ahead.get(name, 0.0) - usual
        else:
            began = self._seen[0][1].get("loss", np.nan)
            learnt = 1 - ahead.get("loss", np.nan) / began if began > 0 else 0.0
        if not learnt >= MIN_LEARNT:
            return
        found = {f"ahead_{k}": v for k, v in ahead.items()} | _numbers(logs)
        share = 1 - last / (self._seen[-1][0] + 1)
        self._first = found, number, max(int(share * training.num_samples), 1)
        self._seen.clear()
        self._weights = self._kept_weights()

    def _ahead(self) -> tuple[int, dict[str, float]]:
        """Returns the means over the last quarter of the batches, and where it begins."""
        place = max(int(LAST_QUARTER * len(self._seen)) - 1, 0)
        (i, before), (j, whole) = self._seen[place], self._seen[-1]
        i, j = i + 1, j + 1
        if i >= j:
            return i, {}
        found = {}
        for name, value in whole.items():
            if name in before:
                found[name] = (value * j - before[name] * i) / (j - i)
        return i, found

    def _kept_weights(self) -> Values | None:
        """Returns copies of all variables; None if memory is short."""
        self._sync()
        variables = [v for v in self._model.variables if "int" not in str(v.dtype)]
        size = sum(np.prod(v.shape) * 4 for v in variables)
        try:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            free = 2**30
        if size > PART_OF_MEMORY * free:
            return None
        return [(v, np.array(read(v))) for v in variables]

    def look(self, epoch: Epoch, profiles: Mapping[str, InputProfile]) -> None:
        """Makes the account if it is due, and gives the findings their rows.

        A failure warns, and no further account is made: the user's own `call` may raise anything.
        """
        if self._has_failed or not self._is_due(epoch):
            return
        try:
            with undisturbed(self._model), self._spending.measuring():
                report = self._account(epoch, profiles)
        except Exception as error:
            self._has_failed = True
            warn(f"ShiftGuard could not account for the gap ({error!r}).")
            return
        finally:
            self._maker.forget()
            self._weights = None if epoch.is_last else self._weights
        before, self.report = self.report, report
        if report is None:
            return
        self.is_final = epoch.is_last
        agrees = _agree(before, report)
        self._is_open = not agrees  # the next epoch looks again
        if epoch.is_last or agrees:
            self._shift.account(report)

    def _is_due(self, epoch: Epoch) -> bool:
        logs = epoch.logs or {}
        if self._shift.tolerance is None or not is_finite(logs.get("loss")):
            return False
        if not is_finite(logs.get("val_loss")):
            return False
        pair = next((p for p in self._shift.pairs if (p.stream, p.against) == MAIN), None)
        if pair is None:
            return False
        if epoch.is_last:
            return True
        differs = any(not f.negligible for f in pair.findings.values())
        is_epoch = is_in_schedule(int(epoch.number or 1) - 1) or self._is_open
        return differs and is_epoch and self._spending.allows()

    def _account(self, epoch: Epoch, profiles: Mapping[str, InputProfile]) -> GapReport | None:
        logs = epoch.logs or {}
        pair = next(p for p in self._shift.pairs if (p.stream, p.against) == MAIN)
        names = epoch.streams["validation"].sketches
        differ = frozenset(
            name
            for name in names
            if any(
                f"{f.feature}/".startswith(f"{source_of(name)}/") and not f.negligible
                for f in pair.findings.values()
            )
        )
        case = self._maker.case(
            epoch.streams,
            profiles,
            differ,
            float(self._shift.tolerance or 0.0),
            self._shift.is_augmented is not False,
            epoch.is_apart,
            epoch.is_last,
        )
        if case is None:
            return None
        logged = self._logged(case, logs, profiles)
        return account(case, logged, self._first_pass(case, logs))

    def _logged(
        self, case: Case, logs: Mapping[str, Any], profiles: Mapping[str, InputProfile]
    ) -> Logged:
        """Returns both ends of the gap as Keras logged them, or as the samples give them."""
        numbers = [profiles[name].num_samples for name in ("train", "validation")]
        name = self._name(case, logs)
        if name is not None:
            penalty = 0.0
            if name == "loss":
                penalty = float(
                    sum(float(keras.ops.convert_to_numpy(p)) for p in self._model.losses)
                )
            ends = float(logs[name]) - penalty, float(logs[f"val_{name}"]) - penalty
            return Logged(*ends, numbers[0], numbers[1])
        unit = float(getattr(case.likelihood, "unit", 1.0))
        sign = 1.0 if isinstance(case.likelihood, Classes | SeveralLabels) else -unit
        here = sign * float(case.likelihood.worth(case.here.outputs, case.here.y).mean())
        there = here
        if case.there is not None:
            there = sign * float(case.likelihood.worth(case.there.outputs, case.there.y).mean())
        number = 0 if case.there is None else len(case.there)
        return Logged(there, here, number, len(case.here))

    def _name(self, case: Case, logs: Mapping[str, Any]) -> str | None:
        """Returns the name of the metric of a case in Keras's logs; None if it is not there."""
        name = watched(logs)
        if isinstance(case.likelihood, Classes | SeveralLabels):
            return None if name in ("", "loss") else name
        return "loss" if {"loss", "val_loss"} <= logs.keys() else None

    def _first_pass(self, case: Case, logs: Mapping[str, Any]) -> FirstPass | None:
        name = self._name(case, logs) or "loss"
        if self._first is None:
            return None
        found, epoch, number = self._first
        if f"ahead_{name}" not in found or f"val_{name}" not in found:
            return None
        predict = None
        if self._weights is not None:
            weights = self._weights

            def predict(anew: bool) -> Predict | None:
                values = [(v, keras.ops.convert_to_tensor(value)) for v, value in weights]
                return self._maker.with_values(values, anew, case.likelihood)

        ends = found[f"ahead_{name}"], number, found[f"val_{name}"], epoch
        return FirstPass(*ends, predict, is_loss=name == "loss")


def watched(logs: Mapping[str, Any]) -> str:
    """Returns the name of the accuracy in Keras's logs, else `"loss"`; "" without validation.

    >>> watched({"loss": 1.0, "acc": 0.5, "val_loss": 1.0, "val_acc": 0.5})
    'acc'
    """
    known = _numbers(logs)
    both = [name for name in known if f"val_{name}" in known]
    found = [name for name in both if "acc" in name and "top" not in name]
    return found[0] if found else "loss" if "loss" in both else ""


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """Returns what is a number of Keras's logs: a user's own step may log anything."""
    number = (int, float, np.floating)
    return {name: float(value) for name, value in logs.items() if isinstance(value, number)}


def _agree(before: GapReport | None, now: GapReport) -> bool:
    """Whether the account before found a cause of the same family: one look may be chance."""
    if before is None or now.fault is None:
        return now.fault is None
    known = {(row.kind, row.family) for row in before.rows if row.is_fault}
    return (now.fault.kind, now.fault.family) in known
