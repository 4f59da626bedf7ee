"""A report as a person reads it: the verdict, then at most five findings."""

from keras_shiftguard.detection.report import MOST_SHOWN, Finding, ShiftReport

FEW_SAMPLES = 20  # in a stream; with fewer, hardly anything can be tested
KIND_NAMES = {
    "preprocessing": "preprocessing",
    "label": "label shift",
    "concept": "concept shift",
    "covariate": "covariate shift",
}


def in_words(report: ShiftReport) -> str:
    """The verdict first; then findings, one sentence each; then what is open."""
    lines = [verdict(report)]
    lines += [f"  - {in_a_sentence(finding)}" for finding in report.findings[:MOST_SHOWN]]
    hidden = len(report.findings) - MOST_SHOWN
    if hidden > 0:
        lines.append(f"  ... and {hidden} more in `report.findings`")
    lines += [f"  note: {note}" for note in report.notes]
    return "\n".join(lines)


def in_a_sentence(finding: Finding) -> str:
    """One finding, dated, and marked where it does not matter."""
    text = finding.explanation.rstrip(".")
    if finding.since is not None:
        text += f", since epoch {finding.since}"
    if finding.acknowledged:
        text += f" (acknowledged: {finding.acknowledged})"
    elif finding.expected:
        text += " (expected: augmentation)"
    elif finding.negligible:
        text += " (present, negligible)"
    return text + "."


def verdict(report: ShiftReport) -> str:
    """The first line: whether anything shifted, and where."""
    compared: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.matters and finding.against not in compared.setdefault(finding.stream, []):
            compared[finding.stream].append(finding.against)
    if compared:
        streams = "; ".join(
            f"{stream} against {' and '.join(others)}" for stream, others in compared.items()
        )
        kinds = ", ".join(KIND_NAMES[kind] for kind in report.kinds)
        return f"ShiftGuard: shift found, {streams}: {kinds} (false-alarm rate {report.alpha:g})"
    sizes = ", ".join(f"{name} {n:,}" for name, n in (report.num_samples or {}).items())
    sizes = f" (samples: {sizes})" if sizes else ""
    if report.findings:
        return f"ShiftGuard: no shift that matters{sizes}"
    if not report.num_samples:
        return "ShiftGuard: nothing was compared"
    fewest = min(report.num_samples.values())
    if not fewest:
        return f"ShiftGuard: nothing could be measured{sizes}"
    few = any(note.startswith("not enough samples") for note in report.notes)
    if few and fewest < FEW_SAMPLES:
        return f"ShiftGuard: too few samples to tell{sizes}"
    return f"ShiftGuard: no shift found{sizes}"
