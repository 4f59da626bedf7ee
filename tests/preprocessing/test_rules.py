"""Each rule of the verdict is tested on both sides of each of its thresholds."""

import dataclasses

import numpy as np
import pytest
from numpy_reference import summarise

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Scores
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import hypotheses_for
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observation import Observation
from keras_shiftguard.preprocessing.rules import UNKNOWN, Case, decide

RAW = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype("float64")
UNIT = InputConvention("unit", "unknown")
NOTHING = StructuralExpectation(0, "input", UNKNOWN, UNKNOWN)


def scores_of(misfit, sigmas):
    """Scores with given misfits, and a given number of standard errors for each gap."""
    scores = object.__new__(Scores)
    scores.misfit = np.log(misfit)
    wave = np.tile([1.0, -1.0], 10)[:, None]
    gaps = scores.misfit - scores.misfit.min()
    scores._resampled = scores.misfit + wave * gaps / sigmas
    return scores


def key(mode, swap=False, means=None, inverted=False):
    return mode, swap, means, inverted


def reading_of(fits, best, observed=UNIT, sigmas=9.0, swap_sigmas=0.0, num_images=12, channels=3):
    """Returns a reading. `fits` has the misfits by `key` of a hypothesis; the others have 1."""
    images = RAW[..., :channels] * observed.scale[0] + observed.offset[0]
    hypotheses = hypotheses_for(observed, summarise(images), None)
    keys = [key(h.mode, h.swap, h.means, h.inverted) for h in hypotheses]
    misfit = np.ones(len(keys))
    for which, value in fits.items():
        misfit[keys.index(which)] = value
    as_fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    scores = scores_of(misfit, sigmas)
    return Reading(tuple(hypotheses), scores, as_fed, keys.index(best), swap_sigmas, num_images)


def case(reading, observed=UNIT, certainty=0.97, structure=NOTHING, images=None, **more):
    channels = 1 if observed.channel_order == "gray" else 3
    if images is None:
        images = RAW[..., :channels] * (1.0 if observed.scale is None else observed.scale[0])
    observation = Observation(observed, more.pop("kind", None), certainty, ("It was seen.",))
    trusted = structure.convention.is_known and not more.get("scratch")
    return Case(
        observation, summarise(images), structure, trusted, more.get("scratch", False), reading
    )


# --- only batch norm ---------------------------------------------------------------------

FED, TF = key("unit"), key("tf")


@pytest.mark.parametrize(
    ("fits", "more", "certainty", "status"),
    [
        ({TF: 0.2, FED: 0.8}, {}, 0.97, "mismatch"),
        # The best hypothesis must fit well.
        ({TF: 0.25, FED: 0.8}, {}, 0.97, "mismatch"),
        ({TF: 0.27, FED: 0.8}, {}, 0.97, "unknown"),
        # It must fit better than the images as fed by a third.
        ({TF: 0.2, FED: 0.2 * np.exp(0.31)}, {}, 0.97, "mismatch"),
        ({TF: 0.2, FED: 0.2 * np.exp(0.29)}, {}, 0.97, "ok"),
        ({TF: 0.25, FED: 0.25 * np.exp(0.29)}, {}, 0.97, "ok"),
        # The gap must be larger than chance.
        ({TF: 0.2, FED: 0.3}, {"sigmas": 3.1}, 0.97, "mismatch"),
        ({TF: 0.2, FED: 0.3}, {"sigmas": 2.9}, 0.97, "ok"),
        ({TF: 0.2, FED: 0.4}, {"sigmas": 2.9}, 0.97, "unknown"),
        # There must be enough images.
        ({TF: 0.2, FED: 0.8}, {"num_images": 4}, 0.97, "mismatch"),
        ({TF: 0.2, FED: 0.8}, {"num_images": 3}, 0.97, "unknown"),
        # The observed convention must be certain; if it is only likely, the gap must be double.
        ({TF: 0.2, FED: 0.8}, {}, 0.9, "mismatch"),
        ({TF: 0.2, FED: 0.2 * np.exp(0.59)}, {}, 0.89, "unknown"),
        ({TF: 0.2, FED: 0.2 * np.exp(0.61)}, {}, 0.5, "mismatch"),
        ({TF: 0.2, FED: 0.2 * np.exp(0.59)}, {}, 0.5, "unknown"),
        ({TF: 0.2, FED: 0.8}, {}, 0.49, "unknown"),
    ],
)
def test_another_mode(fits, more, certainty, status):
    verdict = decide(case(reading_of(fits, TF, **more), certainty=certainty))
    assert verdict.status == status, verdict
    if status == "mismatch":
        assert (verdict.expected.mode, verdict.observed.mode) == ("tf", "unit")
        best, fed = fits[TF], fits[FED]
        text = f"misfit {best:.2f}, as fed {fed:.2f}, next convention {min(fed, 1.0):.2f}."
        assert text in verdict.evidence[0] and verdict.evidence[1] == "It was seen."
    if status == "ok":
        assert verdict.expected == verdict.observed == InputConvention("unit", "rgb")


def test_what_an_unknown_verdict_names():
    # The expected mode is certain, the observed convention is not.
    named = decide(case(reading_of({TF: 0.2, FED: 0.8}, TF), certainty=0.3))
    assert (named.status, named.expected.mode) == ("unknown", "tf")
    # Another mode fits as well, or none fits, or there are too few images.
    rival = {TF: 0.2, FED: 0.8, key("raw"): 0.2 * np.exp(0.29)}
    for reading in (
        reading_of(rival, TF),
        reading_of({TF: 0.27, FED: 0.8}, TF),
        reading_of({TF: 0.2, FED: 0.8}, TF, num_images=3),
    ):
        verdict = decide(case(reading, certainty=0.3))
        assert (verdict.status, verdict.expected.is_known) == ("unknown", False)
        assert verdict.observed == UNIT


def test_what_is_fed_fits_best():
    verdict = decide(case(reading_of({FED: 0.3}, FED), certainty=0.3))
    assert (verdict.status, verdict.expected) == ("ok", InputConvention("unit", "rgb"))


SWAPPED = key("unit", swap=True)


@pytest.mark.parametrize(
    ("fits", "more", "status"),
    [
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 4.1}, "mismatch"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 3.9}, "unknown"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 2.1}, "unknown"),
        ({SWAPPED: 0.34, FED: 0.5}, {"swap_sigmas": 9.0}, "mismatch"),
        ({SWAPPED: 0.36, FED: 0.5}, {"swap_sigmas": 9.0}, "unknown"),
        ({SWAPPED: 0.2, FED: 0.2 * np.exp(0.09)}, {"swap_sigmas": 9.0}, "mismatch"),
        ({SWAPPED: 0.2, FED: 0.2 * np.exp(0.07)}, {"swap_sigmas": 9.0}, "unknown"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 9.0, "num_images": 3}, "unknown"),
        # Nothing is certain, but the images as fed fit as well as training images do.
        ({SWAPPED: 0.2, FED: 0.2 * np.exp(0.29)}, {"swap_sigmas": 1.9}, "ok"),
        ({SWAPPED: 0.2, FED: 0.2 * np.exp(0.31)}, {"swap_sigmas": 1.9}, "unknown"),
    ],
)
def test_swapped_channels(fits, more, status):
    verdict = decide(case(reading_of(fits, SWAPPED, **more)))
    assert verdict.status == status, verdict
    orders = verdict.expected.channel_order, verdict.observed.channel_order
    if status == "mismatch":
        assert orders == ("rgb", "bgr")
        assert verdict.evidence[0].endswith(f"{more['swap_sigmas']:.1f} standard errors off.")
        assert "with red and blue swapped" in verdict.evidence[1]
    elif status == "unknown":
        leaning = fits[SWAPPED] < 0.35 and more["swap_sigmas"] > 2 and "num_images" not in more
        assert ("is likely" in verdict.evidence[0]) == leaning


def test_twins_need_no_gap():
    # If means and pixels are reversed together, the first layers cannot tell.
    observed = InputConvention("caffe", "rgb")
    own, twin = key("caffe", means="rgb"), key("caffe", True, "bgr")
    for best, sigmas, status in ((twin, 4.1, "mismatch"), (twin, 3.9, "unknown"), (own, 9.0, "ok")):
        reading = reading_of({own: 0.2, twin: 0.2}, best, observed, swap_sigmas=sigmas)
        images = observed.from_raw(RAW)
        assert decide(case(reading, observed, images=images)).status == status


@pytest.mark.parametrize(
    ("misfit", "gap", "status"),
    [(0.19, 2.1, "mismatch"), (0.21, 2.1, "unknown"), (0.1, 1.9, "unknown")],
)
def test_inverted_gray_must_fit_well_and_nothing_else(misfit, gap, status):
    gray = InputConvention("unit", "gray")
    inverted = key("unit", inverted=True)
    fits = {inverted: misfit, key("unit"): misfit * np.exp(gap)}
    reading = reading_of(fits, inverted, gray, channels=1)
    assert decide(case(reading, gray)).status == status


def test_without_batch_norm_the_reason_is_given():
    verdict = decide(case("There is no batch norm."))
    assert (verdict.status, verdict.expected, verdict.observed) == ("unknown", UNKNOWN, UNIT)
    assert verdict.evidence == ("There is no batch norm.", "It was seen.")


# --- the structure -----------------------------------------------------------------------


def published(mode, order="rgb", **more):
    expected = InputConvention(mode, order)
    text = ("It is published.",)
    return StructuralExpectation(0, "input", expected, expected, "ANet", evidence=text, **more)


@pytest.mark.parametrize(
    ("expected", "certainty", "factor", "status"),
    [
        ("unit", 0.3, 1.0, "ok"),
        ("tf", 0.9, 1.0, "mismatch"),
        ("tf", 0.89, 1.0, "unknown"),
        # Values far outside of the expected range are wrong in any case.
        ("unit", 0.3, 255.0, "mismatch"),
        ("raw", 0.3, 1.0, "unknown"),
    ],
)
def test_the_structure_alone(expected, certainty, factor, status):
    observed = UNIT if factor == 1 else InputConvention("raw", "unknown")
    images = RAW / 255 * factor
    verdict = decide(case("No batch norm.", observed, certainty, published(expected), images))
    assert verdict.status == status, verdict
    assert verdict.expected == InputConvention(expected)
    assert verdict.observed.channel_order == "rgb"
    assert "RGB is assumed" in verdict.evidence[-1]


@pytest.mark.parametrize(("edge", "status"), [(1.09, "unknown"), (1.11, "mismatch")])
@pytest.mark.parametrize("low", [False, True])
def test_how_far_outside_values_may_lie(edge, status, low):
    # Augmentation can take the values out of 0..255 by a tenth.
    images = np.full((10, 10, 10, 3), 0.5)
    images[:, 0] = 1 - edge if low else edge
    observed = InputConvention("custom", "unknown", (0.01,) * 3, (0.0,) * 3)
    assert decide(case("None.", observed, 0.3, published("unit"), images)).status == status


def test_untrained_weights_are_mentioned():
    verdict = decide(case("None.", UNIT, 0.97, published("unit", fresh=True)))
    assert "untrained" in verdict.evidence[0] and "ANet" in verdict.evidence[0]
    scratch = decide(case("None.", UNIT, 0.97, published("tf", fresh=True), scratch=True))
    assert scratch.status == "unknown" and "trained from scratch" in scratch.evidence[0]
    assert not scratch.expected.is_known
    begins = case("None.", UNIT, 0.97, published("tf", fresh=True), scratch=True)
    begins = decide(dataclasses.replace(begins, begins=True))
    assert begins.status == "ok" and begins.expected == begins.observed == UNIT


def test_the_order_that_the_means_name():
    observed = InputConvention("caffe", "rgb")
    images = observed.from_raw(RAW)
    verdict = decide(case("None.", observed, 0.97, published("caffe", "bgr"), images))
    assert verdict.status == "mismatch" and "in RGB order" in verdict.evidence[-1]
    assert (verdict.expected.channel_order, verdict.observed) == ("bgr", observed)


@pytest.mark.parametrize(
    ("gap", "sigmas", "num_images", "status"),
    [
        (0.09, 4.1, 4, "mismatch"),
        (0.07, 4.1, 4, "ok"),
        (0.09, 3.9, 4, "ok"),
        (0.09, 4.1, 3, "ok"),
    ],
)
def test_batch_norm_settles_the_order(gap, sigmas, num_images, status):
    fits = {SWAPPED: 0.2, FED: 0.2 * np.exp(gap)}
    reading = reading_of(fits, SWAPPED, swap_sigmas=sigmas, num_images=num_images)
    verdict = decide(case(reading, UNIT, 0.97, published("unit")))
    assert verdict.status == status
    if status == "mismatch":
        assert verdict.observed == InputConvention("unit", "bgr")
        assert "red and blue are swapped (4.1 standard errors over 4 images)" in str(verdict)


RAW_KEY = key("raw")


@pytest.mark.parametrize(
    ("fits", "more", "disagree"),
    [
        ({RAW_KEY: 0.2, TF: 0.5, FED: 0.9}, {}, True),
        ({RAW_KEY: 0.27, TF: 0.8, FED: 0.9}, {}, False),
        ({RAW_KEY: 0.2, TF: 0.2 * np.exp(0.29), FED: 0.9}, {}, False),
        ({RAW_KEY: 0.2, TF: 0.5, FED: 0.9}, {"sigmas": 2.9}, False),
        ({RAW_KEY: 0.2, TF: 0.5, FED: 0.9}, {"num_images": 3}, False),
    ],
)
def test_weights_that_were_trained_on_another_convention(fits, more, disagree):
    verdict = decide(case(reading_of(fits, RAW_KEY, **more), UNIT, 0.97, published("tf")))
    mentioned = any("disagree" in sentence for sentence in verdict.evidence)
    assert mentioned == disagree
    assert verdict.status == ("unknown" if disagree else "mismatch")
    if disagree:
        text = "fits images in raw (0..255) better: the misfit is 2.5 times smaller."
        assert text in verdict.evidence[0]


def test_what_is_fed_is_what_the_weights_were_trained_on():
    reading = reading_of({FED: 0.2, TF: 0.5}, FED)
    verdict = decide(case(reading, UNIT, 0.97, published("tf")))
    assert (verdict.status, verdict.expected.mode) == ("ok", "unit")
    assert "disagree" in verdict.evidence[0]


# --- input that is unusable --------------------------------------------------------------


def test_broken_input():
    def status(kind, structure):
        return decide(case("None.", UNKNOWN, 1.0, structure, RAW, kind=kind)).status

    for structure in (NOTHING, published("tf")):
        assert status("nonfinite", structure) == "mismatch"
        assert status("constant", structure) == "unknown"
    assert status("per_image_standardised", published("tf")) == "mismatch"
    assert status("per_image_standardised", NOTHING) == "unknown"
