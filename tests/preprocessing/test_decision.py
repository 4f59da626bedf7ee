"""The decision between "ok", "mismatch" and "unknown" by batch norm, the trial and a word."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from known_evidence import (
    CAFFE,
    FED,
    GRAY,
    INVERTED,
    NOTHING,
    PIXELS,
    RAW,
    TF,
    TO_RAW,
    TO_TF,
    TO_TORCH,
    UNIT,
    TrialOf,
    case,
    key,
    layers_for,
    of_order,
    published,
    scores_of,
)
from numpy_reference import summarise

from keras_shiftguard.preprocessing import evidence_words
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.decision import decide
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED, hypotheses_for
from keras_shiftguard.preprocessing.posterior import posterior

# --- batch norm, alone and with the trial -------------------------------------------------

TF_FITS = {TO_TF: 0.2, FED: 0.8}
NEARLY = {TO_TF: 0.2, FED: 0.32}
OWN = dataclasses.replace(NOTHING, head="own")
TRANSFERRED = dataclasses.replace(NOTHING, head="transferred")
MUTE = {"logits": -2.0, "head_tells": False}
TF_FITS_RAW = {TO_TF: 0.2, TO_RAW: 0.8}
FITTED = InputConvention("custom", "unknown", (0.1 / 127.5,) * 3, (-1.0,) * 3)

classified = partial(case, TF_FITS, structure=OWN)
frozen = partial(case, TF_FITS_RAW, RAW, structure=TRANSFERRED)
to_torch = partial(case, {TO_TORCH: 0.2, FED: 0.9})

BY_BATCH_NORM = {
    "another mode fits far better": (case(TF_FITS), "mismatch"),
    "what is fed fits nearly as well": (case({TO_TF: 0.2, FED: 0.24}), "unknown"),
    "a third mode fits nearly as well": (case(TF_FITS | {TO_TORCH: 0.22}), "unknown"),
    "none of them fits": (case({TO_TF: 0.7, FED: 5.0}), "unknown"),
    "unusual subjects fit worse, as fed far worse": (case({TO_TF: 0.5, FED: 5.0}), "mismatch"),
    "unusual subjects fit worse, as fed as well": (case({TO_TF: 0.5, FED: 0.8}), "unknown"),
    "the gap may be chance": (case({TO_TF: 0.2, FED: 0.4}, sigmas=0.6), "unknown"),
    "there are too few images": (case(TF_FITS, num_images=2), "unknown"),
    "what is fed is not known for sure": (case(TF_FITS, certainty=0.3), "unknown"),
    "what is fed fits best": (case({FED: 0.3}, certainty=0.3), "ok"),
    "what is fed fits as badly as the rest": (case({FED: 0.8}), "unknown"),
    "another mode fits like what is fed": (case({FED: 0.4, TO_TF: 0.41}), "unknown"),
    # The trial adds to batch norm, and is not asked where batch norm is sure.
    "the trial speaks for the fix": (case(NEARLY, trial=TrialOf(9.0)), "mismatch"),
    "the trial speaks against the fix": (case(NEARLY, trial=TrialOf(-9.0)), "unknown"),
    "the trial is not needed": (case({FED: 0.1, TO_TF: 0.9}, trial=of_order(-9.0)), "ok"),
    # Garbled images, too, see worse in every other mode.
    "no training had such images": (case({FED: 0.7, TO_TF: 0.9}, trial=TrialOf(-9.0)), "unknown"),
    # What else may explain the images.
    "paler training with larger numbers": (
        case({FED: 0.2, TO_TF: 0.8}, TF, extra=[(("tf", False), 0.2)]),
        "unknown",
    ),
    "surely no paler training": (
        case({FED: 0.2, TO_TF: 0.8}, TF, extra=[(("tf", False), 0.5)]),
        "mismatch",
    ),
    "gray and surely not paler": (case({FED: 0.1}, GRAY, extra=[(("tf", False), 0.3)]), "ok"),
    "gray and maybe paler": (case({FED: 0.1}, GRAY, extra=[(("tf", False), 0.1)]), "unknown"),
    "maybe negatives": (case({FED: 0.15}, extra=[(("unit", True), 0.1)]), "unknown"),
    "surely no negatives": (case({FED: 0.15}, extra=[(("unit", True), 0.3)]), "ok"),
    "maybe standardised one by one": (to_torch(extra=[(STANDARDISED, 0.1)]), "unknown"),
    "surely not standardised": (to_torch(extra=[(STANDARDISED, 0.5)]), "mismatch"),
    "inverted gray fits well": (case({INVERTED: 0.1, FED: 0.5}, GRAY), "mismatch"),
    # The user's own classifier may have learned from what is fed, so the trial must agree.
    "a classifier sees a little better": (classified(trial=TrialOf(2.5)), "unknown"),
    "a classifier sees far better": (classified(trial=TrialOf(5.0)), "mismatch"),
    "the published classifier need not": (
        case(TF_FITS, structure=dataclasses.replace(NOTHING, head="published"), trial=TrialOf(2.5)),
        "mismatch",
    ),
    "more labels are right": (classified(trial=TrialOf(3.0, by_labels=True)), "mismatch"),
    "a few more labels are right": (classified(trial=TrialOf(1.0, by_labels=True)), "unknown"),
    "far from what a classifier learns": (
        case(TF_FITS_RAW, RAW, structure=OWN, trial=TrialOf(9.0, **MUTE)),
        "mismatch",
    ),
    "near what a classifier learns": (classified(trial=TrialOf(9.0, **MUTE)), "unknown"),
    "learned on a frozen backbone": (frozen(trial=TrialOf(9.0)), "unknown"),
    "its classes tell more": (frozen(trial=TrialOf(9.0, of_classes=2.0)), "mismatch"),
    "its classes hardly tell more": (frozen(trial=TrialOf(9.0, of_classes=0.5)), "unknown"),
    "more of its labels are right": (frozen(trial=TrialOf(3.0, by_labels=True)), "mismatch"),
    "a classifier that tells images apart objects": (
        case(TF_FITS_RAW, RAW, structure=OWN, trial=TrialOf(9.0, of_classes=-2.0)),
        "unknown",
    ),
    # Dark images in [-1, 1] look like images in another convention.
    "the convention was fitted to dark images": (
        case({TO_TF: 0.1, key("as fed"): 0.9}, FITTED, 0.7, trial=TrialOf(9.0)),
        "unknown",
    ),
}


def test_what_a_verdict_names():
    named = decide(case(TF_FITS))
    assert (named.expected.mode, named.observed.mode) == ("tf", "unit")
    assert "misfit 0.20, as fed 0.80;" in named.evidence[0]
    unsure = decide(case(TF_FITS, certainty=0.3))  # the mode is sure, the feed is not
    assert (unsure.expected.mode, unsure.observed) == ("tf", InputConvention("unit"))
    few = decide(case(TF_FITS, num_images=2))
    assert (few.expected.is_known, few.observed) == (False, UNIT)
    none = decide(case())
    assert none.evidence == ("There is no batch norm.", "It was seen.")


def test_the_fix_of_unusual_subjects_is_offered_if_what_is_fed_is_far_off():
    assert decide(case({TO_TF: 0.5, FED: 4.0})).is_proven
    assert not decide(case({TO_TF: 0.5, FED: 1.5})).is_proven  # a wrong mode could fit as badly
    assert not decide(case({TO_TF: 0.5, FED: 4.0}, trial=TrialOf(1.0))).is_proven


def test_the_sentence_on_batch_norm_says_that_dark_and_bright_are_exchanged():
    facts = case({INVERTED: 0.3}, GRAY)
    found = posterior(facts, facts.reading)
    said = evidence_words.batch_norm_in_words(facts.reading, facts.reading.best, found)
    assert "gray with dark and bright exchanged fits best (probability" in said


def test_only_the_reading_with_the_least_misfit_is_said_to_fit_best():
    """A reading was said to fit best above a list in which another one had the better value."""
    facts = case({TO_TF: 0.2, TO_TORCH: 0.22, FED: 0.8})
    found = posterior(facts, facts.reading)
    said = {}
    for index, misfit in enumerate(facts.reading.scores.misfit[: len(facts.reading.hypotheses)]):
        text = evidence_words.batch_norm_in_words(facts.reading, index, found)
        said[float(misfit)] = "fits best" in text
        assert said[float(misfit)] != ("though another fits better" in text)
    assert [misfit for misfit, is_best in said.items() if is_best] == [min(said)]


def test_a_scale_may_be_surer_than_that_dark_and_bright_are_in_place():
    gray = InputConvention("raw", "gray")
    fits = {TO_TF: 0.2, key("tf", inverted=True): 0.3, TO_RAW: 9.0}
    verdict = decide(case(fits, gray))
    assert (verdict.status, verdict.expected.mode, verdict.observed) == ("mismatch", "tf", gray)
    both = fits | {key("tf", inverted=True): 0.15}
    assert decide(case(both, gray, best=TO_TF)).status == "unknown"


@pytest.mark.parametrize(
    ("to_tf", "to_torch", "between", "status", "mode"),
    [
        (9.0, -9.0, 9.0, "mismatch", "tf"),
        (9.0, 6.0, 9.0, "mismatch", "tf"),
        (9.0, 6.0, 0.5, "unknown", "unknown"),  # two scales are about as good
        (2.0, -9.0, 9.0, "unknown", "unknown"),
        (-9.0, -9.0, 9.0, "ok", "unit"),
    ],
)
def test_labels_decide_without_batch_norm(to_tf, to_torch, between, status, mode):
    def sigmas(fix, than):
        if than is not None and than.scale[0] != 1:
            return between
        return {2.0: to_tf, 4.367: to_torch}.get(round(fix.scale[0], 3), -9.0)

    verdict = decide(case(trial=TrialOf(sigmas, by_labels=True)))
    assert (verdict.status, verdict.expected.mode) == (status, mode)


@pytest.mark.parametrize(("after_levels", "status"), [(9.0, "mismatch"), (0.8, "unknown")])
def test_more_contrast_is_no_fix(after_levels, status):
    """Of pale images, more contrast is easier to tell apart, whatever the classifier has learned.

    A fix must help once the levels of ordinary photos are given to both.
    """
    trial = TrialOf(lambda fix, than: after_levels if 3.0 in than.scale else 9.0)
    pale = classified(trial=trial, levels=(np.full(3, 3.0), np.full(3, -1.0)))
    assert decide(pale).status == status


@pytest.mark.parametrize(
    ("scale", "trial", "status"),
    [(0.01, TrialOf(9.0), "unknown"), (1.0, TrialOf(9.0), "mismatch"), (1.0, None, "unknown")],
)
@pytest.mark.parametrize("order", ["gray", "unknown"])
def test_the_mean_of_the_images_at_hand_does_not_convict_them(order, scale, trial, status):
    """Images of one class or exposure have another mean than those of the training.

    No other scene explains a scale that is far off.
    """
    channels = 1 if order == "gray" else 4
    observed = InputConvention("custom", order, (scale,) * channels, (-40 * scale,) * channels)
    images = PIXELS[..., [0, 1, 2, 0][:channels]] * scale - 40 * scale
    hypotheses = hypotheses_for(observed, summarise(images), None)
    fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    own = next(i for i, h in enumerate(hypotheses) if h.mode == "custom" and not h.inverted)
    misfit = np.ones(len(hypotheses))
    misfit[[fed, own]] = 0.2, 0.1
    reading = Reading(tuple(hypotheses), scores_of(misfit, 9.0), fed, own, 0.0, 12)
    facts = case(observed=observed, images=images, trial=trial)
    verdict = decide(dataclasses.replace(facts, reading=reading))
    assert verdict.status == status, verdict
    assert ("another scene" in verdict.evidence[0]) == (status == "unknown")


# --- the trial alone, and a published convention ---------------------------------------------

FRESH = published("tf", fresh=True)
suspected = partial(case, structure=published("tf"))
PALE = UNIT.from_raw(135 + PIXELS * (120 / 255))


WITHOUT_BATCH_NORM = {
    "nothing is known": (case(), "unknown"),
    "it sees worse in every other mode": (case(trial=TrialOf(-9.0)), "ok"),
    "features and logits disagree": (case(trial=TrialOf(-9.0, logits=-1.0)), "unknown"),
    # Larger numbers make images easier to distinguish, whatever the training was.
    "large numbers score best": (case(observed=RAW, trial=TrialOf(-9.0)), "unknown"),
    "numbers of caffe score best": (case(observed=CAFFE, trial=TrialOf(-9.0)), "unknown"),
    "standardising each image helps": (
        case(trial=TrialOf(lambda fix, _: 3.0 if fix.each else -9.0)),
        "unknown",
    ),
    "red and blue may be swapped": (
        case(trial=TrialOf(lambda fix, _: 9.0 if fix.permutation else -9.0)),
        "unknown",
    ),
    # A published convention is only a suspicion, which the trial confirms or refutes.
    "published, and fed": (case(certainty=0.3, structure=published("unit")), "ok"),
    "published, and not tried": (suspected(), "unknown"),
    "published, and it sees better": (suspected(trial=TrialOf(4.0)), "mismatch"),
    "published, and hardly better": (suspected(trial=TrialOf(2.0)), "unknown"),
    "published, and not told apart": (suspected(trial=TrialOf(9.0, told_apart=0.3)), "unknown"),
    "published, and few images": (suspected(trial=TrialOf(9.0, num_images=7)), "unknown"),
    "published, and what is fed is unclear": (
        suspected(certainty=0.7, trial=TrialOf(9.0)),
        "unknown",
    ),
    "published, and it sees worse": (suspected(trial=TrialOf(-4.0)), "ok"),
    "published, and pale images": (suspected(images=PALE, trial=TrialOf(9.0)), "unknown"),
    "paleness explains no factor of 127": (
        suspected(observed=RAW, images=PALE * 255, trial=TrialOf(9.0)),
        "mismatch",
    ),
    "published, and untrained": (case(structure=FRESH, trial=TrialOf(9.0)), "unknown"),
    "trained here": (case(structure=FRESH, scratch=True), "unknown"),
    "begins to be trained here": (case(structure=FRESH, scratch=True, begins=True), "ok"),
    "fed what it was trained on here": (case(scratch=True, learnt=UNIT), "ok"),
    "fed another input than at first": (case(scratch=True, learnt=RAW, begins=True), "unknown"),
}


@pytest.mark.parametrize("name", WITHOUT_BATCH_NORM)
def test_without_batch_norm(name):
    facts, status = WITHOUT_BATCH_NORM[name]
    verdict = decide(facts)
    assert verdict.status == status, verdict
    assert verdict.swap_is_possible == (name == "red and blue may be swapped")
    assert not (status == "mismatch" and verdict.expected.mode != "tf")


def test_a_suspicion_says_that_it_is_none_of_the_weights():
    published_only = decide(suspected())
    assert published_only.evidence[0].startswith("ANet is published for tf")
    assert "do not confirm it" in published_only.evidence[0]
    assert "look untrained" in decide(case(structure=FRESH)).evidence[0]
    scratch = decide(case(structure=FRESH, scratch=True))
    assert "trained from scratch" in scratch.evidence[0] and not scratch.expected.is_known


@pytest.mark.parametrize(
    ("fits", "more", "expected"),
    [
        ({TO_RAW: 0.2, TO_TF: 0.5, FED: 0.9}, {}, "raw"),
        # The published mode is expected, unless batch norm is certain of the other mode.
        ({TO_RAW: 0.2, TO_TF: 0.25, FED: 0.9}, {}, "tf"),
        ({TO_RAW: 0.2, TO_TF: 0.34, FED: 0.9}, {"num_images": 3}, "tf"),
    ],
)
def test_weights_that_were_trained_on_another_convention(fits, more, expected):
    verdict = decide(suspected(fits, **more))
    assert verdict.expected.mode == expected
    assert any("disagree" in text for text in verdict.evidence) == (expected == "raw")
    assert verdict.status == ("mismatch" if expected == "raw" else "unknown")


# --- the word of a person, and of the model's own layers -------------------------------------

TO_PIXELS = layers_for(InputConvention("raw"))
BEFORE_HEAD = published("raw", speaks=True, head="own")
TWELVE_BITS = InputConvention("custom", "unknown", (16.0,) * 3, (0.0,) * 3)
TINY = InputConvention("custom", "unknown", (0.01,) * 3, (0.0,) * 3)
FITS_PIXELS = {TO_RAW: 0.2, key("as fed"): 0.8}
layered = partial(case, structure=TO_PIXELS)
headed = partial(case, structure=BEFORE_HEAD)
twelve_bits = partial(layered, observed=TWELVE_BITS, certainty=0.7)

BY_LAYERS = {
    "fed another": (layered(), "mismatch"),
    "batch norm fits what is fed": (layered({FED: 0.2, TO_TF: 0.5}), "ok"),
    # A network of the user's own may have been trained on what it is fed.
    "with the fix it sees worse": (layered(trial=TrialOf(-4.0)), "unknown"),
    "it tells no images apart": (layered(trial=TrialOf(-4.0, told_apart=0.05)), "mismatch"),
    "too few images to object": (layered(trial=TrialOf(-4.0, num_images=7)), "mismatch"),
    "features and logits disagree": (layered(trial=TrialOf(-4.0, logits=0.5)), "mismatch"),
    "the network is recognised": (
        case(structure=layers_for(InputConvention("raw"), "ANet"), trial=TrialOf(-4.0)),
        "mismatch",
    ),
    # A head may have been trained on x / 255 in front of a frozen network with a `Rescaling`.
    "a head, and no trial": (headed(), "unknown"),
    "a head that sees far better": (headed(trial=TrialOf(5.0)), "mismatch"),
    "a head that sees a little better": (headed(trial=TrialOf(2)), "unknown"),
    "a head that sees worse": (headed(trial=TrialOf(-2)), "unknown"),
    "a head that knows the labels": (headed(trial=TrialOf(2.5, by_labels=True)), "mismatch"),
    "a published head": (
        case(structure=published("raw", speaks=True, head="published"), trial=TrialOf(-9)),
        "mismatch",
    ),
    # A network with a left-over `Rescaling(1 / 255)` may have learned from 12-bit images.
    "12 bits": (twelve_bits(), "unknown"),
    "12 bits, and it hardly sees better": (twelve_bits(trial=TrialOf(2.0)), "unknown"),
    "12 bits, and it sees better": (twelve_bits(trial=TrialOf(4.0)), "mismatch"),
    "12 bits, and batch norm knows 8": (twelve_bits(FITS_PIXELS), "mismatch"),
    "numbers from which nothing is learned": (layered(observed=TINY, certainty=0.7), "mismatch"),
}


@pytest.mark.parametrize(
    ("facts", "status"),
    [*BY_BATCH_NORM.values(), *BY_LAYERS.values()],
    ids=[*BY_BATCH_NORM, *BY_LAYERS],
)
def test_batch_norm_and_the_models_own_layers(facts, status):
    verdict = decide(facts)
    assert verdict.status == status, verdict


def test_batch_norm_may_contradict_the_layers_but_not_the_user():
    fits = {FED: 0.2, TO_TF: 0.5}
    assert decide(case(fits, structure=published("tf", speaks=True))).status == "ok"
    assert decide(suspected(fits, stated=True)).status == "mismatch"


def test_broken_input():
    for structure in (NOTHING, published("tf")):
        for kind, status in (("nonfinite", "mismatch"), ("constant", "unknown")):
            assert decide(case(observed=UNKNOWN, structure=structure, kind=kind)).status == status


@pytest.mark.parametrize(("stated", "status"), [(True, "mismatch"), (False, "unknown")])
def test_only_a_statement_convicts_images_standardised_one_by_one(stated, status):
    """A network may have learned from such images with a left-over `Rescaling` in front."""
    structure = published("tf", speaks=True)
    facts = case(observed=UNKNOWN, structure=structure, kind="per_image_standardised")
    assert decide(dataclasses.replace(facts, stated=stated)).status == status
