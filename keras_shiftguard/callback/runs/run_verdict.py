"""The verdict on a run: what to do about it, as its log and the terminal say it."""

from typing import Any

from keras_shiftguard.callback.checks.check import is_finite
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.detection.verdict import Verdict, verdict_of
from keras_shiftguard.log.run_page import log_parts


def verdict_on(run: Run) -> Verdict | None:
    """Returns the verdict on all that was found so far; None before the first look at a stream."""
    report, preprocessing = run.shift.report, run.preprocessing
    diagnoses = preprocessing.diagnoses if preprocessing.sees_images else {}
    if report is None and not diagnoses:
        return None
    parts: dict[str, Any] = {"diagnosis": {k: d.to_dict() for k, d in diagnoses.items()}}
    parts |= {} if report is None else {"report": report.to_dict()}
    parts |= {} if run.log.log_dir is None else log_parts(run.log.log_dir)
    return verdict_of(
        report,
        diagnoses,
        run.gap.report,
        corrected={name: run.since_corrected.get(name, 1) for name in preprocessing.corrected},
        late=0 if run.kind == "train" else preprocessing.uncorrected_batches(run.kind),
        adaptation=run.repair.worth_of(run.model),
        guard=run.arguments,
        not_compared=run.measurement.not_compared,
        leaks=run.checks.states.get("leak") is True,
        diverged=not is_finite(run.logs.get("loss")),
        nan_validation=_is_nan_validation(run),
        parts=parts,
    )


def tell(run: Run) -> None:
    """Gives the log the verdict so far, for what it writes next."""
    if run.log.log_dir is not None and (verdict := verdict_on(run)) is not None:
        run.log.tell(verdict.to_dict())


def last_words(run: Run) -> str:
    """Writes the final verdict to the log, and returns its text."""
    verdict = verdict_on(run)
    if verdict is None:
        return ""
    if run.gap.report is not None:
        run.log.write_gap(run.epoch, run.gap.report.to_dict(), verdict.to_dict())
    run.log.write_verdict(run.epoch, verdict.to_dict())
    return str(verdict)


def _is_nan_validation(run: Run) -> bool:
    """Whether the loss of validation is not finite, although its inputs are."""
    profile = run.passes.profiles.get("validation")
    if profile is None or is_finite(run.logs.get("val_loss")):
        return False
    return not any(summary.nonfinite_samples for summary in profile.inputs.values())
