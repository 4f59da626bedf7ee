"""`Checking`: makes the checks of a run, and keeps their states."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keras_shiftguard.callback.checks import CHECKS
from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.errors import warn

FAILED = "failed"  # state of a check that raised an error


class Checking:
    """Makes all checks of an epoch. A check that fails warns, and is not made again.

    Attributes:
        states: States of the checks, by name: a tree for `profiles.storage`.
    """

    def __init__(self, shift: ShiftWatch) -> None:
        self._shift = shift
        self.states: dict[str, Any] = {}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Takes the states of the checks that exist; earlier versions had others."""
        self.states = {name: state for name, state in states.items() if name in CHECKS}

    def check(self, epoch: Epoch) -> None:
        """Makes the checks, and puts what they tell into the report."""
        for name, look in CHECKS.items():
            if self.states.get(name) == FAILED:
                continue
            seen = replace(epoch, warned_of=self._shift.warned_of, pairs=self._shift.pairs)
            try:
                self.states[name], told = look(self.states.get(name), seen)
            except Exception as error:
                self.states[name] = FAILED
                warn(f"ShiftGuard could not make the check {name!r} ({error!r}).")
                continue
            self._shift.apply(told)
            if told.warning:
                warn(told.warning)
