"""The lines that the guard prints at the end of a run: on preprocessing, shift and corrections.

These lines do not repeat the warnings. The numbers are in `guard.diagnosis` and `guard.report`.
"""

from collections.abc import Collection, Sequence

from keras_shiftguard.detection.families import TOO_FEW
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.plain_words import plain_sentence
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.report_words import TOO_FEW_TO_TELL, verdict
from keras_shiftguard.preprocessing.diagnosis import Diagnosis

MAX_SHOWN = 3  # largest number of alarms that are listed


def preprocessing_line(diagnosis: Diagnosis | None) -> str:
    """Returns the verdict on preprocessing in one line; "" for a mismatch or without a diagnosis.

    A mismatch has a warning of its own, except with `on_mismatch="ignore"`.

    Args:
        diagnosis: The diagnosis; None if there is none, or if no input has images.
    """
    if diagnosis is None or diagnosis.status == "mismatch":
        return ""
    line = str(diagnosis).partition("\n")[0]
    if diagnosis.status == "unknown":
        return f"{line} What would settle it: print(guard.diagnosis)"
    if any(hint.name == "layers" for hint in diagnosis.hints):
        return f"{line} Its own layers are made for another input, see print(guard.diagnosis)"
    return line


def shift_lines(
    report: ShiftReport | None, unhandled: Sequence[Finding] = (), was_withdrawn: bool = False
) -> str:
    """Returns the verdict on shift in one line, and a line for each of the worst unhandled alarms.

    Args:
        report: The latest report; None if there is none.
        unhandled: Alarms that had no warning, the most severe first.
        was_withdrawn: Whether there was an alarm earlier in the run, and none is left.
    """
    if report is None:
        return ""
    line = verdict(report.findings, report.notes, report.alpha, report.num_samples)
    if report.shifted:
        lines = [f"  - {plain_sentence(finding)}" for finding in unhandled[:MAX_SHOWN]]
        return "\n".join([f"{line}. The numbers: print(guard.report)", *lines])
    if was_withdrawn:
        return f"{line}. An alarm of an earlier epoch no longer holds: print(guard.report)"
    if report.findings:
        return f"{line}. Differences without an alarm: print(guard.report)"
    # Nobody can do much about rare tokens, so that note is only in the report.
    notes = tuple(note for note in report.notes if not note.startswith("tokens: "))
    if TOO_FEW_TO_TELL in line:
        notes = tuple(note for note in notes if not note.startswith(TOO_FEW))
    if not notes:
        return f"{line}."
    others = f" ({len(notes) - 1} more in guard.report)" if len(notes) > 1 else ""
    return f"{line}; {notes[0].rstrip('.')}{others}."


def correction_line(corrected: Collection[str]) -> str:
    """Returns a text on how to keep a correction made inside the fit; "" without a correction.

    Args:
        corrected: Names of the streams whose input was corrected.
    """
    if not corrected:
        return ""
    text = (
        f"ShiftGuard corrected the input of {' and '.join(sorted(corrected))} inside fit only: "
        "plain `model.predict` is uncorrected. Keep the fix with\n"
        "    model = guard.diagnosis.apply(model)"
    )
    if "train" not in corrected:
        return text
    return text + (
        '\nguard.profiles["train"] is the input before the correction: attach it only to the model '
        "with the fix."
    )
