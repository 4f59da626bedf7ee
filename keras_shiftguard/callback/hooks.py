"""`Hooks`: the hooks of Keras, which begin, count and finish the runs that a guard watches."""

from collections import deque
from os import PathLike
from threading import get_ident
from typing import Any

import keras

from keras_shiftguard.callback.end_of_fit import (
    complete_history,
    recalibrate,
    settle,
    warn_of_undoing,
)
from keras_shiftguard.callback.quiet_line import quiet_line
from keras_shiftguard.callback.runs import run_steps
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.callback.runs.run_verdict import last_words
from keras_shiftguard.callback.runs.training_profile import attach_profile
from keras_shiftguard.callback.supervisor import Supervisor
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.steps.processes import is_first_process
from keras_shiftguard.terminal import mark_line, say


class Hooks(keras.callbacks.Callback):
    """The hooks of Keras. A failure of the guard in one of them becomes a warning.

    On JAX and PyTorch, Keras calls the end of a batch in other threads, while the next batch runs,
    if `callbacks` is a single callback and not a list. So ended batches are put into a queue, and
    the thread that began the run takes them out.
    """

    verbose: int
    log_dir: str | PathLike[str] | None
    attach_to: str | PathLike[str] | None

    def __init__(self) -> None:
        super().__init__()
        self._supervisor = Supervisor()
        self._ended: deque[tuple[str, int]] = deque()  # names of streams, and indices of batches
        self._thread = get_ident()  # the thread that began the run
        self._loaded: dict[str, Any] | None = None  # result of `load_state`, until a fit uses it

    @property
    def _run(self) -> Run | None:
        return self._supervisor.run

    def set_params(self, params: dict[str, Any] | None) -> None:
        if params is not None and params is self.params:  # the second call in one run
            raise BadInputError(
                "The same ShiftGuard is in `callbacks` twice. Pass it once, or make a second "
                "ShiftGuard with other options."
            )
        super().set_params(params)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin("train")
        self._supervisor.call(warn_of_undoing, self)
        self._supervisor.call(quiet_line)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._supervisor.call(self._start_epoch, epoch)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin_batch("train")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._end_batch("train", batch)
        self._supervisor.call(lambda run: run.gap.note_batch(batch, logs))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._count_ended()
        self._print(self._supervisor.call(run_steps.finish_epoch, epoch, logs))
        self._supervisor.call(run_steps.save_epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        mark_line(is_open=False)
        self._supervisor.call(settle)
        judge = bool(self.verbose) or self.log_dir is not None
        self._print(self._supervisor.call(recalibrate, judge))
        self._print(self._supervisor.call(last_words))
        if self.attach_to is not None:
            self._print(self._supervisor.call(attach_profile, self.attach_to))
        if self._run is not None:
            complete_history(self._run)
        self._supervisor.end()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # A run may be left over from a fit that raised an exception: Keras then skips
        # `on_train_end`.
        if not self._supervisor.is_watching(self.params):
            self._begin("validation")
        self._supervisor.call(run_steps.start_validation)

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin_batch("validation")

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._end_batch("validation", batch)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._count_ended()
        self._print(self._supervisor.call(run_steps.finish_validation, logs))
        if self._run is None or not self._run.training:
            self._supervisor.end()
            mark_line(is_open=False)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin("prediction")
        self._supervisor.call(run_steps.start_pass, "prediction")

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin_batch("prediction")

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._end_batch("prediction", batch)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        self._count_ended()
        self._print(self._supervisor.call(run_steps.finish_alone, "prediction"))
        self._supervisor.end()
        mark_line(is_open=False)

    def _new_run(self, kind: str) -> Run:
        """Returns a run of the model, with the arguments of the guard."""
        raise NotImplementedError

    def _begin(self, kind: str) -> None:
        """Begins to watch a run before its first batch; `kind` is that of `Run`."""

        def begun() -> Run:
            mark_line(is_open=False)
            self._supervisor.detach()
            self._thread = get_ident()
            self._ended.clear()
            return self._new_run(kind)

        self._supervisor.begin(begun, self.params)

    def _begin_batch(self, stream: str) -> None:
        self._count_ended()
        self._supervisor.begin_batch(stream)

    def _end_batch(self, stream: str, batch: int) -> None:
        self._ended.append((stream, batch))
        if get_ident() == self._thread:
            self._count_ended()
        if (self.params or {}).get("verbose") in (1, "auto"):
            mark_line(is_open=True)  # Keras now draws its progress bar

    def _count_ended(self) -> None:
        while self._ended:
            self._supervisor.call(run_steps.count, *self._ended.popleft())

    def _start_epoch(self, run: Run, epoch: int) -> None:
        mark_line(is_open=False)
        if epoch and not run.passes.num_batches:  # the fit resumes an earlier one
            state, self._loaded = self._loaded or run.log.read_epoch_state(epoch), None
            if state is not None:
                run.restore(state, epoch)
        elif self._loaded is not None and not run.passes.num_batches:
            self._loaded = None
            warn(
                "ShiftGuard does not use the state that `load_state` read, because this fit begins "
                "with epoch 1: pass `initial_epoch`, or use keras.callbacks.BackupAndRestore."
            )
        run_steps.start_epoch(run, epoch)

    def _print(self, text: str) -> None:
        if self.verbose and text and is_first_process():
            try:
                say(text)
            except Exception as error:  # a terminal that is gone must not end a fit
                warn(f"ShiftGuard could not print its verdict ({error!r}).")
