"""Images that are broken, or that a network is only being trained on."""

from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN
from keras_shiftguard.preprocessing.expected.hypothesis_names import ordered


def from_broken_images(case: Case) -> Verdict | None:
    """Decides on non-finite or constant values, and on images that were standardized one by one."""
    kind, evidence = case.observation.kind, case.observation.evidence
    expected = case.structure.convention if case.trusted else UNKNOWN
    if kind == "nonfinite" and case.cleaned:
        text = "The network turns these values into finite ones, so it may be made for them."
        return Verdict("unknown", expected, UNKNOWN, (*evidence, text))
    if kind == "nonfinite":
        return Verdict("mismatch", expected, UNKNOWN, evidence)
    if kind == "constant":  # possibly black frames, or uint8 divided as integers
        return Verdict("unknown", expected, UNKNOWN, evidence)
    if kind == "per_image_standardised" and expected.is_known:
        # A network with a left-over `Rescaling` in front may have been trained on such images.
        status = "mismatch" if case.stated else "unknown"
        return Verdict(status, expected, UNKNOWN, (*evidence, *case.structure.evidence))
    return None


def from_training(case: Case) -> Verdict | None:
    """Decides on a network that is trained from scratch, which can learn any convention."""
    if not case.scratch or case.stated:
        return None
    text = (
        f"{case.name} is trained from scratch here: it learns the convention that it is fed, so "
        "none is wrong. Use the same one when predicting."
    )
    observed = ordered(case.observation.convention, UNKNOWN)
    evidence = (text, *case.observation.evidence)
    learnt = observed if case.begins and case.learnt is None else case.learnt
    if learnt is None or (learnt.is_known and not observed.is_known):
        return Verdict("unknown", UNKNOWN, observed, evidence)
    if observed.mode == learnt.mode:
        return Verdict("ok", observed, observed, evidence, trained_here=case.begins)
    text = f"{case.name} was trained from scratch in this program, on {learnt} at first."
    return Verdict("unknown", learnt, observed, (text, *case.observation.evidence))
