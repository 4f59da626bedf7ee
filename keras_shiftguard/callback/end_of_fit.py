"""What the guard does after the last epoch of a fit: late experiments, and repairs judged."""

import keras

from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.errors import warn
from keras_shiftguard.explain.estimates.estimate import AccuracyEstimate
from keras_shiftguard.instrument.steps.keras_run import KerasRun
from keras_shiftguard.instrument.undisturbed import undisturbed


def warn_of_undoing(run: Run, guard: keras.callbacks.Callback) -> None:
    """Warns of a callback after the guard that undoes `adapt="batch_norm"`."""
    if "batch_norm" in run.repair.adapt:
        later = KerasRun().callbacks_after(guard)
        undoing = [c for c in later if getattr(c, "restore_best_weights", False)]
        if undoing:
            warn(
                f"{type(undoing[0]).__name__}(restore_best_weights=True) comes after "
                "ShiftGuard in `callbacks`: it sets the weights again after "
                "adapt='batch_norm', and so undoes it. Put ShiftGuard last."
            )


def settle(run: Run) -> None:
    """Makes the experiments of a last epoch if training ended before it.

    Callbacks such as `EarlyStopping` end training after the guard has compared the streams.

    Raises:
        ShiftDetectedError: for a new shift with `on_shift="raise"`.
    """
    measurement, report = run.measurement, run.shift.report
    is_done = run.is_last or run.gap.is_final
    if not measurement.is_attached or measurement.has_failed or is_done or report is None:
        return
    streams = measurement.streams
    seen = Epoch(run.epoch + 1, streams, {}, run.logs, pairs=run.shift.pairs, is_last=True)
    run.gap.look(seen, run.passes.profiles)
    run.shift.mark_open()
    run.log.write_report(run.epoch, run.shift.report or report)
    run.shift.act(in_fit=False)


def recalibrate(run: Run, judge: bool) -> str:
    """Adapts batch norm after a fit, if `adapt=` includes it, and judges all repairs.

    Returns a text that says how batch norm changed; the verdict says whether the repairs helped.
    """
    repair = run.repair
    # If an input was corrected, the model was trained on corrected input. The estimate below
    # runs the model without the correction, so it would be wrong.
    judge = judge and repair.acts and not run.preprocessing.corrected
    with undisturbed(run.model):
        before = _estimate(run) if judge and "batch_norm" in repair.adapt else None
        text = repair.recalibrate(run.model, run.log, run.epoch)
        if judge:
            before = before if text else None
            repair.judge(_estimate(run), before, run.log, run.epoch)
        repair.judge_pair(run.model, run.log, run.epoch)
    return text


def complete_history(run: Run) -> None:
    """Adds NaN to Keras's `history` for the epochs since a failure.

    So the guard's lists in `history` are as long as those of Keras. The `logs` of these epochs
    get no NaN, because `EarlyStopping` would count NaN as an epoch without improvement.
    """
    history = getattr(getattr(run.model, "history", None), "history", None)
    if not isinstance(history, dict):
        return
    for name in run.logged & history.keys():
        is_val = name.startswith("val_")
        lengths = [len(v) for key, v in history.items() if key.startswith("val_") == is_val]
        history[name].extend([float("nan")] * (max(lengths) - len(history[name])))


def _estimate(run: Run) -> AccuracyEstimate | None:
    run.measurement.sync()
    return run.repair.estimate(run.model, run.stream("validation"), run.seconds)
