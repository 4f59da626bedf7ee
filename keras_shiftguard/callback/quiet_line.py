"""`quiet_line` keeps `shift` and `val_shift` out of the line that Keras prints, while both are 0.

Callbacks that monitor them, and `history`, have them in every epoch.
"""

from typing import Any

import keras

from keras_shiftguard.instrument.steps.keras_run import KerasRun

NAMES = ("shift", "val_shift")


class _Hide(keras.callbacks.Callback):
    """Takes the numbers out of the logs, until one of them is not 0."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, Any] = {}
        self._has_shifted = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        self._has_shifted |= any(logs.get(name) for name in NAMES)
        names = () if self._has_shifted else NAMES
        self.hidden = {name: logs.pop(name) for name in names if name in logs}


class _Restore(keras.callbacks.Callback):
    """Puts back what `_Hide` took out."""

    def __init__(self, hide: _Hide) -> None:
        super().__init__()
        self._hide = hide

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs.update(self._hide.hidden)


def quiet_line(_: Any) -> None:
    """Puts callbacks around Keras's progress bar, for the rest of the fit that has just begun."""
    hide = _Hide()
    KerasRun().put_around(keras.callbacks.ProgbarLogger, hide, _Restore(hide))
