"""`KerasRun`: the call of `fit`, `evaluate` or `predict` that is in progress.

Keras tells a callback that a batch begins, and then calls the model's function on the batch. If an
exception comes in between, the next call of the function belongs to a later run, which may have no
`ShiftGuard`. Keras gives a run no identity that the callback and the function could compare. So
both look at Python's stack, where the same frame of Keras's trainer is below both of them.
"""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any
from weakref import ref

RUNS = ("fit", "evaluate", "predict")
TRAINERS, CALLBACKS = "keras.src.backend.", "keras.src.callbacks.callback_list"


class KerasRun:
    """The innermost run that was in progress when this object was created.

    Outside of a run of Keras, as in a user's own training loop, the run is None.
    """

    def __init__(self) -> None:
        # The frame itself would keep the user's data alive. The address of a frame is its
        # identity as long as the frame lives, and with it its list of callbacks.
        self._frame: int | None = None
        self._callbacks: Any = None
        for frame in _frames():
            if _is_in(frame, CALLBACKS):  # the last one is that of the run itself
                self._callbacks = ref(frame.f_locals["self"])
            if _is_run(frame):
                self._frame = id(frame)
                break

    def _listed(self) -> list[Any]:
        """Returns the list of all callbacks of this run."""
        running = None if self._callbacks is None else self._callbacks()
        return [] if running is None else running.callbacks

    def callbacks_after(self, callback: Any) -> list[Any]:
        """Returns the callbacks of this run that Keras calls after `callback`."""
        listed = self._listed()
        return next((listed[i + 1 :] for i, each in enumerate(listed) if each is callback), [])

    def put_around(self, kind: type, before: Any, after: Any) -> None:
        """Puts callbacks before and after the first one of a class, unless they are there already.

        The list of callbacks is that of this run; the user's own list stays as it is.
        """
        listed = self._listed()
        place = next((i for i, each in enumerate(listed) if isinstance(each, kind)), None)
        if place is not None and not any(isinstance(each, type(before)) for each in listed):
            listed[place : place + 1] = [before, listed[place], after]

    def is_in_progress(self) -> bool:
        """Whether the caller belongs to this run."""
        if self._callbacks is not None and self._callbacks() is None:
            return False
        for frame in _frames():
            if _is_run(frame):
                return self._frame == id(frame)
            if frame.f_code.co_name.endswith("_on_batch") and _is_in(frame, TRAINERS):
                break  # not called by a run of Keras itself
        return self._frame is None


def data_of_run() -> dict[str, Any]:
    """Returns the inputs that the running `fit`, `evaluate` or `predict` was given, by stream.

    Keras makes arrays of a table of pandas, so only its own frame still has the names of columns.
    The result is empty outside of a run, and if Keras names its arguments otherwise.
    """
    for frame in _frames():
        if _is_run(frame):
            given = frame.f_locals
            if frame.f_code.co_name != "fit":
                name = "validation" if frame.f_code.co_name == "evaluate" else "prediction"
                return {name: given.get("x")}
            pair = given.get("validation_data")
            validation = pair[0] if isinstance(pair, (tuple, list)) and pair else None
            return {"train": given.get("x"), "validation": validation}
    return {}


def _frames() -> Iterator[FrameType]:
    """Yields the frames of the caller's stack, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_run(frame: FrameType) -> bool:
    return frame.f_code.co_name in RUNS and _is_in(frame, TRAINERS)


def _is_in(frame: FrameType, module: str) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(module)
