"""The decision between "ok", "mismatch" and "unknown" on one input.

What a model expects has a posterior probability (`posterior.py`). Somebody's word makes one
convention certain, and so do the model's own layers unless the weights contradict them; then only
the values of the images as fed can be in doubt (`witnesses/feed.py`). Labels that the network has
learned come next (`sources/labels.py`). Otherwise the probability of the images as fed decides
for "ok", and that of another hypothesis for a mismatch. The order of the channels has a posterior
of its own (`order.py`).
"""

from dataclasses import replace

from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN
from keras_shiftguard.preprocessing.expected.hypothesis_names import ordered
from keras_shiftguard.preprocessing.garbled import Garbling
from keras_shiftguard.preprocessing.limits import MIN_MISMATCH
from keras_shiftguard.preprocessing.sources.evidence import from_evidence
from keras_shiftguard.preprocessing.sources.labels import from_labels
from keras_shiftguard.preprocessing.sources.word import from_word
from keras_shiftguard.preprocessing.witnesses.preference import Preference


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


SOURCES = (from_broken_images, from_training, from_word, from_labels, from_evidence)


def decide(case: Case) -> Verdict:
    """Returns the verdict of the first source that gives one; "unknown" if none does."""
    for source in SOURCES:
        verdict = source(case)
        if verdict is not None:
            return verdict
    needed = case.reading if isinstance(case.reading, str) else ""
    evidence = (*case.structure.evidence, needed, *case.observation.evidence)
    observed = ordered(case.observation.convention, case.structure.convention)
    expected = case.structure.convention if case.trusted else UNKNOWN
    return Verdict("unknown", expected, observed, tuple(s for s in evidence if s))


def with_garbling(
    verdict: Verdict,
    garbling: Garbling,
    trial: Preference | None,
    probability: float,
    stated: bool,
) -> Verdict:
    """Returns the verdict on the convention, changed if the images look garbled."""
    if probability >= MIN_MISMATCH:
        words = () if trial is None else (trial.in_words(),)
        text = f"The probability that the images are garbled is {100 * probability:.0f} %."
        evidence = (garbling.sentence, text, *words, *verdict.evidence)
        return replace(verdict, status="mismatch", evidence=evidence)
    is_acquitted = trial is not None and trial.can_tell and trial.sigmas <= 0
    if garbling.is_plain and not is_acquitted and verdict.status == "ok" and not stated:
        # The images look garbled, and the trial does not contradict this.
        return replace(verdict, status="unknown", evidence=(garbling.sentence, *verdict.evidence))
    return verdict
