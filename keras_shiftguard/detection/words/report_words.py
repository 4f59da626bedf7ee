"""The text of a report: a verdict in one line, then at most five findings, then the notes."""

from collections.abc import Mapping, Sequence

from keras_shiftguard.detection.families import TOO_FEW
from keras_shiftguard.detection.finding import Finding, kinds_of, when
from keras_shiftguard.detection.two_sample.mean_discrepancy import MIN_SAMPLES
from tensorboard_plugin_shiftguard.metadata import FIRST_EPOCH

MAX_SHOWN = 5  # largest number of findings in the text of a report. A convention.
TOO_FEW_TO_TELL = "too few samples to tell"
KIND_NAMES = {
    "preprocessing": "preprocessing",
    "label": "label shift",
    "concept": "concept shift",
    "covariate": "covariate shift",
}


def details(findings: Sequence[Finding], num_samples: Mapping[str, int] | None = None) -> list[str]:
    """Returns the lines above a verdict: what was compared, and the findings; no judgement."""
    sizes = _in_words(num_samples)
    return [f"Compared: {sizes} samples.", *listed(findings)] if sizes else listed(findings)


def _sizes(num_samples: Mapping[str, int] | None) -> dict[str, int]:
    """Returns the number of samples of each stream; the first epoch is no stream of its own."""
    return {name: n for name, n in (num_samples or {}).items() if name != FIRST_EPOCH}


def _in_words(num_samples: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in _sizes(num_samples).items())


def listed(findings: Sequence[Finding]) -> list[str]:
    """Returns a line for each of the first findings, and one for the others."""
    lines = [f"  - {in_a_sentence(finding)}" for finding in findings[:MAX_SHOWN]]
    hidden = len(findings) - MAX_SHOWN
    return [*lines, f"  ... and {hidden} more in `report.findings`"] if hidden > 0 else lines


def in_a_sentence(finding: Finding) -> str:
    """Returns the sentence of a finding, with its epoch, and its cost or why it is no alarm."""
    text = finding.explanation.rstrip(".") + when(finding)
    if finding.acknowledged:
        text += f" (acknowledged: {finding.acknowledged})"
    elif finding.negligible:
        text += " (present, negligible)"
    elif finding.expected and finding.family == "label":
        text += " (expected: training has as many samples of each class, as resampling makes them)"
    elif finding.cost_words:
        text += f" ({finding.cost_words})"
    elif finding.is_question:
        text += " (no alarm: no experiment could measure what it costs)"
    return text + "."


def verdict(
    findings: Sequence[Finding],
    notes: Sequence[str],
    alpha: float,
    num_samples: Mapping[str, int] | None,
) -> str:
    """Returns the first line of a `ShiftReport`: whether anything shifted, and in which stream."""
    shifted: dict[str, list[str]] = {}  # for each stream, the streams it differs from
    for finding in findings:
        if finding.matters and finding.against not in shifted.setdefault(finding.stream, []):
            shifted[finding.stream].append(finding.against)
    if shifted:
        streams = "; ".join(
            f"{stream} against {' and '.join(others)}" for stream, others in shifted.items()
        )
        kinds = ", ".join(KIND_NAMES[kind] for kind in kinds_of(findings))
        is_over = all(finding.until is not None for finding in findings if finding.matters)
        when_found = "shift found in earlier epochs only" if is_over else "shift found"
        return f"ShiftGuard: {when_found}, {streams}: {kinds} (false-alarm rate {alpha:g})"
    sizes = _in_words(num_samples)
    told = "no shift that matters" if findings else why_nothing(notes, num_samples)
    return f"ShiftGuard: {told or 'no shift found'}{f' (samples: {sizes})' if sizes else ''}"


def why_nothing(notes: Sequence[str], num_samples: Mapping[str, int] | None) -> str:
    """Returns why a comparison found nothing, if it says nothing; "" if nothing differs."""
    sizes = _sizes(num_samples)
    if not sizes:
        return "nothing was compared"
    if not min(sizes.values()):
        return "nothing could be measured"
    is_few = min(sizes.values()) < MIN_SAMPLES and any(n.startswith(TOO_FEW) for n in notes)
    return TOO_FEW_TO_TELL if is_few else ""
