"""Diagnosis of one image input: gathers the facts, applies the rules, and adds the hints."""

import weakref
from collections.abc import Mapping
from dataclasses import replace

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
from keras_shiftguard.preprocessing.observation import SURE, Observation, observe
from keras_shiftguard.preprocessing.posterior import MIN_MISMATCH, probability_of_garbling
from keras_shiftguard.preprocessing.witnesses.feed import level_correction
from keras_shiftguard.preprocessing.witnesses.trial import (
    MAX_TRIAL_IMAGES,
    Preference,
    Trial,
    distinct_images,
)
from keras_shiftguard.profiles import InputSummary

# Networks whose training from scratch was observed. Such a network learns the convention that it is
# fed. So the published convention of its architecture does not apply, even if its weights look
# trained later. The value for a network maps the name of an input to the named convention that its
# training stream had when training began.
_from_scratch: "weakref.WeakKeyDictionary[keras.Model, dict[str, InputConvention]]" = (
    weakref.WeakKeyDictionary()
)


def judge_input(
    model: keras.Model | None,
    read: FeatureReader,
    samples: Mapping[str, np.ndarray],
    name: str,
    summary: InputSummary,
    structure: StructuralExpectation,
    labels: np.ndarray | None,
    training: bool,
    validates: bool,
    evidence: BatchNormEvidence | None,
    stated: bool,
) -> Diagnosis:
    """Returns the diagnosis of the input `name`; for the arguments see `verdict.judge`.

    `read` is shared by all trials of the network. Without `model` and `evidence` the network is
    not run.
    """
    observation = observe(summary)
    begins = training and structure.fresh and structure.trainable and not stated
    scratch, learnt = _trained_here(model, name, observation, begins, validates)
    trusted = structure.convention.is_known and (stated or not scratch)
    known = structure.convention if trusted else None
    reading: Reading | str = "The network was not run."
    levels = level_correction(observation.convention, summary)
    fed, garbling = observation.convention, None
    if model is not None and not scratch:
        garbling = find_garbling(samples[name], fed, summary.layout == "channels_first")
    if evidence is not None:
        repaired = None if garbling is None else garbling.images
        reading = read_batch_norm(evidence, samples, name, fed, summary, known, levels, repaired)
    trial, of_repair, garbled = None, None, 0.0
    if model is not None:
        trial = _trial(read, samples, name, summary, structure, labels, training)
        if garbling is not None:
            of_repair = _try_repair(garbling, trial, read, samples, name, summary, structure)
            garbled = probability_of_garbling(garbling, of_repair, reading)
    is_garbled = garbled >= MIN_MISMATCH
    case = Case(
        observation,
        summary,
        structure,
        trusted,
        scratch,
        reading,
        stated=stated,
        begins=begins,
        learnt=learnt,
        trial=None if is_garbled else trial,  # a trial on garbled images proves nothing
        cleaned=model is not None and _are_cleaned(read, samples, name, observation),
        levels=levels,
    )
    verdict = decide(case)
    if garbling is not None:
        verdict = with_garbling(verdict, garbling, of_repair, garbled, stated)
    hints = remarks_of_images(samples, name, summary, structure, verdict.observed)
    overflow = [hint.sentence for hint in hints if hint.name == "overflow"]
    if overflow and verdict.status == "ok" and not (stated or verdict.trained_here):
        # The scale is right, and the images are broken.
        verdict = replace(verdict, status="unknown", evidence=(*overflow, *verdict.evidence))
    if garbling is not None and garbling.is_plain and not is_garbled:
        hints += (garbling.hint(stated and verdict.status == "ok"),)
    if verdict.swap_is_possible:
        hints += (_swap_hint(verdict),)
    if scratch and structure.speaks and observation.certainty >= SURE:
        hints += _layers_hint(structure.convention, observation.convention)
    # Predictions prove nothing before training, or on wrongly preprocessed input.
    judges_predictions = verdict.status != "mismatch" and not training and not structure.fresh
    if judges_predictions and model is not None:
        hints += remarks_of_predictions(model, samples, name, labels)
    fix, advice = _fix_and_advice(case, verdict)
    if garbling is not None and is_garbled:
        fix, advice = None, garbling.advice
    low, high = float(summary.minimum.min()), float(summary.maximum.max())
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
        value_range=(low, high),
        candidates=() if isinstance(reading, str) else _candidates(reading),
        trained_here=verdict.trained_here,
        garbled=garbling.what if garbling is not None and is_garbled else "",
        standardised=observation.kind == "per_image_standardised",
    )


def _trained_here(
    model: keras.Model | None,
    name: str,
    observation: Observation,
    begins: bool,
    validates: bool,
) -> tuple[bool, InputConvention | None]:
    """Returns whether a network is trained from scratch in this program, and on what at first.

    `begins` says that such a training begins now. For the other arguments see `judge_input`.
    """
    if model is None:
        return False, None
    if begins:
        first = _from_scratch.setdefault(model, {})
        if observation.convention.mode in MODES and not validates:
            first[name] = ordered(observation.convention, UNKNOWN)
    scratch = model in _from_scratch
    return scratch, _from_scratch[model].get(name) if scratch else None


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


def _trial(
    read: FeatureReader,
    samples: Mapping[str, np.ndarray],
    name: str,
    summary: InputSummary,
    structure: StructuralExpectation,
    labels: np.ndarray | None,
    training: bool,
) -> Trial:
    """Returns the trial of fixes on one input.

    The logits of a published head are not compared, because the head was trained on the same input
    as the network. At the start of a fit, a fresh head has learned nothing yet, so neither its
    logits nor the labels are used.
    """
    axis = 1 if summary.layout == "channels_first" else -1
    with_head = structure.head == "own" or (structure.head == "fresh" and not training)
    if training and structure.head == "fresh":
        labels = None
    return Trial(read, samples, name, axis, with_head, labels)


def _are_cleaned(
    read: FeatureReader, samples: Mapping[str, np.ndarray], name: str, observation: Observation
) -> bool:
    """Whether the network's features are finite for images with NaN or infinite values."""
    if observation.kind != "nonfinite":
        return False
    values = np.asarray(samples[name])
    broken = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    some = {key: np.asarray(x)[broken][:MAX_TRIAL_IMAGES] for key, x in samples.items()}
    try:
        features = read(some) if broken.any() else None
    except Exception:  # the user's own `call` may raise anything
        return False
    return features is not None and bool(np.isfinite(features.penultimate).all())


def _try_repair(
    garbling: Garbling,
    trial: Trial,
    read: FeatureReader,
    samples: Mapping[str, np.ndarray],
    name: str,
    summary: InputSummary,
    structure: StructuralExpectation,
) -> Preference | None:
    """Returns the trial of the images with a suspected garbling undone; None if it cannot be run.

    For untrained weights there is no trial, because such weights have not learned what images look
    like.
    """
    if structure.fresh:
        return None
    as_fed = np.asarray(samples[name])[: len(garbling.images)]
    # Images that differ as fed may be equal after the repair, such as black images that only differ
    # in hue.
    both = np.intersect1d(distinct_images(as_fed), distinct_images(garbling.images))
    some = {key: np.asarray(x)[both] for key, x in samples.items()}
    before, after = (
        _trial(read, {**some, name: images[both]}, name, summary, structure, None, False)
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
    if verdict.swap_is_possible:
        return "  # if red and blue turn out to be swapped, first: x = x[..., ::-1]"
    orders = verdict.observed.channel_order, verdict.expected.channel_order
    if verdict.order_is_usual and observation.convention.channel_order != "unknown":
        return f"  # assumes that the model expects {orders[1].upper()}, as most such networks do"
    if observation.convention.channel_order != "unknown" or orders != ("rgb", "bgr"):
        return ""
    return "  # assumes that x is RGB; if cv2 read the images, first: x = x[..., ::-1]"


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
    ]
    return tuple(sorted(candidates, key=lambda c: (not c.best, c.rough, c.misfit)))
