"""Diagnosis of one image input: gathers the facts, applies the rules, and adds the hints."""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.instrument.network_features import FeatureReader
from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.advice import advice_line
from keras_shiftguard.preprocessing.correction.convention import (
    UNKNOWN,
    InputConvention,
    layer_between,
)
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.decision import decide, with_garbling
from keras_shiftguard.preprocessing.diagnosis import Candidate, Diagnosis
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading, read_batch_norm
from keras_shiftguard.preprocessing.expected.hypothesis_names import candidate_in_words, ordered
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.garbled import Garbling, find_garbling
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.remarks import remarks_of_images, remarks_of_predictions
from keras_shiftguard.preprocessing.limits import MAX_TRIAL_IMAGES, MIN_MISMATCH
from keras_shiftguard.preprocessing.observed.observation import Observation
from keras_shiftguard.preprocessing.observed.observe import observe
from keras_shiftguard.preprocessing.posterior import probability_of_garbling
from keras_shiftguard.preprocessing.witnesses.levels import level_correction
from keras_shiftguard.preprocessing.witnesses.preference import Preference
from keras_shiftguard.preprocessing.witnesses.trial import Trial, distinct_images
from keras_shiftguard.profiles import InputSummary

# Networks whose training from scratch was observed. Such a network learns the convention that it is
# fed. So the published convention of its architecture does not apply, even if its weights look
# trained later. The value for a network maps the name of an input to the named convention that its
# training stream had when training began.
_from_scratch: "weakref.WeakKeyDictionary[keras.Model, dict[str, InputConvention]]" = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True)
class Given:
    """What is known of one image input before it is judged; see `verdict.judge`.

    Without `model` and `evidence` the network is not run. All trials of the network share `read`.
    """

    model: keras.Model | None
    read: FeatureReader
    samples: Mapping[str, np.ndarray]
    name: str
    summary: InputSummary
    structure: StructuralExpectation
    labels: np.ndarray | None
    training: bool
    validates: bool
    evidence: BatchNormEvidence | None
    stated: bool

    def trial(self, samples: Mapping[str, np.ndarray], labels: np.ndarray | None) -> Trial:
        """Returns the trial of fixes on some samples.

        The logits of a published head are not compared, because the head was trained on the same
        input as the network. Nor are those of a fresh head behind trained batch norm: they are
        random. (Without it, all of the network may be random, and is to be believed less.) At the
        start of a fit, neither the logits of a fresh head nor its labels are used.
        """
        axis = 1 if self.summary.layout == "channels_first" else -1
        is_fresh = self.structure.head == "fresh" and self.training
        has_batch_norm = self.evidence is not None and self.evidence.available
        is_only_head = has_batch_norm or self.training
        may_differ = self.structure.head == "fresh" and not is_only_head
        with_head = self.structure.has_own_head or may_differ
        return Trial(self.read, samples, self.name, axis, with_head, None if is_fresh else labels)


def judge_input(given: Given) -> Diagnosis:
    """Returns the diagnosis of one image input."""
    summary, structure, stated = given.summary, given.structure, given.stated
    case, garbling = _facts(given)
    of_repair, garbled = None, 0.0
    if garbling is not None and case.trial is not None:
        of_repair = _try_repair(given, garbling, case.trial)
        garbled = probability_of_garbling(garbling, of_repair, case.reading)
    is_garbled = garbled >= MIN_MISMATCH
    if is_garbled:
        case = replace(case, trial=None)  # a trial on garbled images proves nothing
    verdict = decide(case)
    if garbling is not None:
        verdict = with_garbling(verdict, garbling, of_repair, garbled, stated)
    hints = remarks_of_images(given.samples, given.name, summary, structure, verdict.observed)
    overflow = [hint.sentence for hint in hints if hint.name == "overflow"]
    if overflow and verdict.status == "ok" and not (stated or verdict.trained_here):
        # The scale is right, and the images are broken.
        verdict = replace(verdict, status="unknown", evidence=(*overflow, *verdict.evidence))
    if garbling is not None and garbling.is_plain and not is_garbled:
        hints += (garbling.hint(),)
    if verdict.swap_is_possible:
        hints += (_swap_hint(verdict),)
    if case.scratch and structure.speaks and case.observation.certainty >= MIN_MISMATCH:
        hints += _layers_hint(structure.convention, case.observation.convention)
    # Predictions prove nothing before training, or on wrongly preprocessed input.
    judges_predictions = verdict.status != "mismatch" and not given.training and not structure.fresh
    if judges_predictions and given.model is not None:
        hints += remarks_of_predictions(given.model, given.samples, given.name, given.labels)
    fix, advice = _fix_and_advice(case, verdict)
    if garbling is not None and is_garbled:
        fix, advice = None, garbling.advice
    return Diagnosis(
        verdict.status,
        verdict.expected,
        verdict.observed,
        fix,
        advice,
        verdict.evidence,
        structure.architecture,
        hints,
        num_samples=summary.num_samples,
        value_range=(float(summary.minimum.min()), float(summary.maximum.max())),
        candidates=() if isinstance(case.reading, str) else _candidates(case.reading),
        trained_here=verdict.trained_here,
        garbled=garbling.what if garbling is not None and is_garbled else "",
        standardised=case.observation.kind == "per_image_standardised",
    )


def _facts(given: Given) -> tuple[Case, Garbling | None]:
    """Returns the facts on the input, and a suspected garbling of its images."""
    model, summary, structure = given.model, given.summary, given.structure
    observation = observe(summary)
    fed = observation.convention
    begins = given.training and structure.fresh and structure.trainable and not given.stated
    if begins and model is not None:
        first = _from_scratch.setdefault(model, {})
        if fed.mode in MODES and not given.validates:
            first[given.name] = ordered(fed, UNKNOWN)
    scratch = model is not None and model in _from_scratch
    trusted = structure.convention.is_known and (given.stated or not scratch)
    levels, garbling = level_correction(fed, summary), None
    if model is not None and not scratch:
        is_first = summary.layout == "channels_first"
        garbling = find_garbling(given.samples[given.name], fed, is_first)
    reading: Reading | str = "The network was not run."
    if given.evidence is not None:
        known = structure.convention if trusted else None
        repaired = None if garbling is None else garbling.images
        reading = read_batch_norm(
            given.evidence, given.samples, given.name, fed, summary, known, levels, repaired
        )
    case = Case(
        observation,
        summary,
        structure,
        trusted,
        scratch,
        reading,
        stated=given.stated,
        begins=begins,
        learnt=_from_scratch[model].get(given.name) if scratch and model is not None else None,
        trial=None if model is None else given.trial(given.samples, given.labels),
        cleaned=observation.kind == "nonfinite" and model is not None and _are_cleaned(given),
        levels=levels,
    )
    return case, garbling


def _fix_and_advice(case: Case, verdict: Verdict) -> tuple[InputCorrection | None, str]:
    """Returns the layer and the line that correct images in another convention; None, "" else."""
    if verdict.status != "mismatch":
        return None, ""
    fix, observed = None, verdict.observed
    layout, channels = case.summary.layout, case.summary.num_channels
    architecture, comment = case.structure.architecture, ""
    if case.observation.kind == "per_image_standardised":
        observed = InputConvention("raw", "gray" if channels == 1 else "rgb")
        comment = "  # with x the raw 0..255 pixels, not standardised"
    elif not (verdict.expected.is_known and observed.is_known):
        return None, ""
    else:
        if verdict.is_proven:
            fix = layer_between(observed, verdict.expected, layout, channels)
        comment = _order_comment(case.observation, verdict)
    line = advice_line(verdict.expected, observed, architecture, layout)
    return fix, f"{line}{comment}" if line else ""


def _are_cleaned(given: Given) -> bool:
    """Whether the network's features are finite for images with NaN or infinite values."""
    values = np.asarray(given.samples[given.name])
    broken = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    some = {key: np.asarray(x)[broken][:MAX_TRIAL_IMAGES] for key, x in given.samples.items()}
    try:
        features = given.read(some) if broken.any() else None
    except Exception:  # the user's own `call` may raise anything
        return False
    return features is not None and bool(np.isfinite(features.penultimate).all())


def _try_repair(given: Given, garbling: Garbling, trial: Trial) -> Preference | None:
    """Returns the trial of the images with a suspected garbling undone; None if it cannot be run.

    For untrained weights there is no trial, because such weights have not learned what images look
    like.
    """
    if given.structure.fresh:
        return None
    as_fed = np.asarray(given.samples[given.name])[: len(garbling.images)]
    # Images that differ as fed may be equal after the repair, such as black images that only differ
    # in hue.
    both = np.intersect1d(distinct_images(as_fed), distinct_images(garbling.images))
    some = {key: np.asarray(x)[both] for key, x in given.samples.items()}
    before, after = (
        given.trial({**some, given.name: images[both]}, None)
        for images in (as_fed, garbling.images)
    )
    if np.array_equal(both, trial.chosen):
        before = trial  # of the same images, whose features may be needed again
    try:
        return after.against(before)
    except Exception:  # the user's own `call` may raise anything
        return None


def _order_comment(observation: Observation, verdict: Verdict) -> str:
    """Returns a comment for a line that rests on an order which is not sure; else ""."""
    orders = verdict.observed.channel_order, verdict.expected.channel_order
    is_unseen = observation.convention.channel_order == "unknown"
    if verdict.swap_is_possible or (is_unseen and orders == ("rgb", "bgr")):
        other = "it is RGB" if orders[0] == "bgr" else "cv2 read the images"
        return f"  # assumes that x is {orders[0].upper()}; if {other}, first: x = x[..., ::-1]"
    if verdict.order_is_usual and not is_unseen:
        return f"  # assumes that the model expects {orders[1].upper()}, as most such networks do"
    return ""


def _swap_hint(verdict: Verdict) -> Hint:
    """Returns the hint that red and blue may be swapped, with the evidence for it."""
    spoken = [s for s in verdict.evidence if "red and blue" in s or "means were" in s]
    sentence = f"Red and blue may be swapped; a colour cast looks alike. {' '.join(spoken)}"
    return Hint("channel_order", sentence, 0.5)


def _layers_hint(expected: InputConvention, observed: InputConvention) -> tuple[Hint, ...]:
    """Returns a hint if a network's layers are made for another input than the network is fed."""
    if observed.mode in (expected.mode, "unknown"):
        return ()
    sentence = (
        f"The model's own layers are made for {expected}, and it is fed {observed}: the images may "
        "be scaled twice. The model still learns from them, often more slowly."
    )
    return (Hint("layers", sentence, 0.9),)


def _candidates(reading: Reading) -> tuple[Candidate, ...]:
    """Returns every hypothesis with its misfit, the likeliest first."""
    compared = [(h, reading.misfit(i)) for i, h in enumerate(reading.hypotheses)]
    fed = reading.hypotheses[reading.as_fed]
    candidates = [
        Candidate(
            name=candidate_in_words(hypothesis),
            misfit=misfit,
            swap=hypothesis.swap,
            fed=hypothesis is fed,
            best=hypothesis is reading.choice,
            rough=i >= len(compared),
        )
        for i, (hypothesis, misfit) in enumerate([*compared, *reading.dropped])
        if hypothesis.has_fix
    ]
    return tuple(sorted(candidates, key=lambda c: (not c.best, c.rough, c.misfit)))
