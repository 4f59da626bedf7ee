"""`compare`: the comparisons and checks after an epoch, and what Keras and the log get of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keras_shiftguard.callback.checks.check import Epoch
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.callback.runs.run_verdict import tell


def compare(
    run: Run,
    epoch: int | None,
    logs: dict[str, Any] | None,
    losses: Mapping[str, Any] | None = None,
) -> None:
    """Compares the streams that have a new pass, and makes the checks.

    Args:
        run: The run.
        epoch: Epoch, counted from 1; None outside of a fit.
        logs: Keras's logs, to which `"shift"` and `"val_shift"` are added; or None.
        losses: Keras's logs of an evaluation.

    Raises:
        ShiftDetectedError: for a new shift with `on_shift="raise"`.
    """
    shift, checks, log, step = run.shift, run.checks, run.log, run.epoch
    in_fit, profiles = epoch is not None, run.passes.profiles
    passes = run.passes.take_new(run.measurement.target_outputs)
    known = dict(logs or {}) if in_fit else losses
    is_last = run.is_last or bool(getattr(run.model, "stop_training", False))
    seen = Epoch(epoch, run.measurement.streams, passes, known, is_last=is_last)
    shift.compare(passes, epoch)
    if in_fit:
        run.logs = known or {}
        run.gap.end_epoch(epoch or 1, run.logs, profiles)
        run.gap.look(replace(seen, pairs=shift.pairs), profiles)
        shift.mark_open()
        log.write_curves(step, run.logs)
    checks.check(seen)
    severities = {"shift": shift.severity("train")}
    if "validation" in passes:
        severities["val_shift"] = shift.severity("validation")
    if logs is not None:
        logs.update(severities)
        run.logged |= severities.keys()
    if run.pictures.number:
        log.write_pictures(step, run.pictures.rows(seen, profiles, shift.pairs))
    tell(run)
    if shift.report is not None:
        kept = {**(logs or severities)} if in_fit else None
        log.write_comparison(step, shift.pairs, profiles, shift.report, severities, kept)
    if shift.act(in_fit=in_fit):
        run.model.stop_training = True
