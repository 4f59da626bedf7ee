"""Each rule of the verdict is tested on both sides of each of its limits.

A trial measures whether a network recognizes its images better with a fix than as fed. A reading
(`Reading`) is the comparison of many hypotheses about the input with the batch norm of a network.
"""

import dataclasses
import re

import numpy as np
import pytest
from numpy_reference import summarise
from photos import imagenet_photos

from keras_shiftguard.preprocessing import evidence_words
from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.decision import decide
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.batch_norm_scores import Scores
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED, hypotheses_for
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observation import Observation, observe
from keras_shiftguard.preprocessing.posterior import WEIGHTS, posterior
from keras_shiftguard.preprocessing.witnesses.trial import Preference

RAW = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype("float64")
UNIT = InputConvention("unit", "unknown")
NOTHING = StructuralExpectation(0, "input", UNKNOWN, UNKNOWN)


def scores_of(misfit, sigmas):
    """Returns scores with given misfits, and a given number of standard errors for each gap."""
    scores = object.__new__(Scores)
    scores.misfit = np.log(misfit)
    wave = np.tile([1.0, -1.0], 10)[:, None]
    gaps = scores.misfit - scores.misfit.min()
    scores.resampled = scores.misfit + wave * gaps / sigmas
    return scores


def key(mode, swap=False, means=None, inverted=False):
    return mode, swap, means, inverted


def reading_of(fits, best, observed=UNIT, sigmas=9.0, swap_sigmas=0.0, num_images=12, channels=3):
    """Returns a reading. `fits` maps the `key` of hypotheses to misfits; all others have 1."""
    images = RAW[..., :channels] * observed.scale[0] + observed.offset[0]
    hypotheses = hypotheses_for(observed, summarise(images), None)
    keys = [key(h.mode, h.swap, h.means, h.inverted) for h in hypotheses]
    misfit = np.ones(len(keys))
    for which, value in fits.items():
        misfit[keys.index(which)] = value
    as_fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    scores = scores_of(misfit, sigmas)
    return Reading(tuple(hypotheses), scores, as_fed, keys.index(best), swap_sigmas, num_images)


class TrialOf:
    """A stub of the trial with the same preference for every fix."""

    def __init__(
        self, sigmas, told_apart=0.9, num_images=32, by_labels=False, logits=None, head_tells=True
    ):
        least = sigmas if logits is None else min(sigmas, logits)
        features = None if logits is None else sigmas
        self.answer = Preference(
            least, told_apart, num_images, by_labels, features, logits, head_tells
        )

    def of(self, fix, than=None, limit=32):
        return self.answer


def case(reading, observed=UNIT, certainty=0.97, structure=NOTHING, images=None, **more):
    channels = 1 if observed.channel_order == "gray" else 3
    if images is None:
        images = RAW[..., :channels] * (1.0 if observed.scale is None else observed.scale[0])
    observation = Observation(observed, more.pop("kind", None), certainty, ("It was seen.",))
    trusted = structure.convention.is_known and not more.get("scratch")
    return Case(
        observation,
        summarise(images),
        structure,
        trusted,
        more.get("scratch", False),
        reading,
        stated=more.get("stated", False),
        trial=more.get("trial"),
        levels=more.get("levels"),
    )


# --- only batch norm ---------------------------------------------------------------------

FED, TF = key("unit"), key("tf")
TORCH = key("torch", means="rgb")


@pytest.mark.parametrize(
    ("fits", "more", "certainty", "status"),
    [
        ({TF: 0.2, FED: 0.8}, {}, 0.97, "mismatch"),
        # It must fit clearly better than the images as fed, and than any other mode.
        ({TF: 0.2, FED: 0.2 * np.exp(0.35)}, {}, 0.97, "mismatch"),
        ({TF: 0.2, FED: 0.2 * np.exp(0.2)}, {}, 0.97, "unknown"),
        ({TF: 0.2, FED: 0.2 * np.exp(-0.35)}, {}, 0.97, "ok"),
        ({TF: 0.2, FED: 0.8, TORCH: 0.22}, {}, 0.97, "unknown"),
        # And better than a model fits that expects none of them.
        ({TF: 0.4, FED: 5.0}, {}, 0.97, "mismatch"),
        ({TF: 0.5, FED: 5.0}, {}, 0.97, "unknown"),
        # The gap must be larger than chance.
        ({TF: 0.2, FED: 0.4}, {"sigmas": 3.1}, 0.97, "mismatch"),
        ({TF: 0.2, FED: 0.4}, {"sigmas": 0.9}, 0.97, "unknown"),
        # There must be enough images.
        ({TF: 0.2, FED: 0.8}, {"num_images": 4}, 0.97, "mismatch"),
        ({TF: 0.2, FED: 0.8}, {"num_images": 3}, 0.97, "unknown"),
        # The observed convention must be likely.
        ({TF: 0.2, FED: 0.8}, {}, 0.5, "mismatch"),
        ({TF: 0.2, FED: 0.8}, {}, 0.49, "unknown"),
    ],
)
def test_another_mode(fits, more, certainty, status):
    verdict = decide(case(reading_of(fits, TF, **more), certainty=certainty))
    assert verdict.status == status, verdict
    if status == "mismatch":
        assert (verdict.expected.mode, verdict.observed.mode) == ("tf", "unit")
        best, fed = fits[TF], fits[FED]
        text = f"misfit {best:.2f}, as fed {fed:.2f}, next best scale {min(fed, 1.0):.2f};"
        assert text in verdict.evidence[0] and verdict.evidence[1] == "It was seen."
        assert re.search(r"\(probability (9\d|100) %, as fed \d %; misfit", verdict.evidence[0])
    if status == "ok":
        assert verdict.expected == verdict.observed == InputConvention("unit", "rgb")


@pytest.mark.parametrize(("sees_better", "status"), [(9.0, "mismatch"), (-9.0, "unknown")])
def test_the_trial_adds_to_batch_norm(sees_better, status):
    reading = reading_of({TF: 0.2, FED: 0.2 * np.exp(0.25)}, TF)
    assert decide(case(reading, trial=TrialOf(sees_better))).status == status


def test_probabilities_leave_a_rest_for_none_of_these():
    for misfit, rest in ((0.1, 0.0), (WEIGHTS.none, 0.5), (2.0, 0.9)):
        reading = reading_of({FED: misfit, TF: 9.0}, FED)
        found = posterior(case(reading), reading)
        assert 1 - sum(found.probability.values()) == pytest.approx(rest, abs=0.05)


def test_hypotheses_that_were_ruled_out_early_count_by_their_rough_misfit():
    reading = reading_of({FED: 0.2, TF: 1.0}, FED)
    (raw,) = (h for h in reading.hypotheses if key(h.mode, h.swap, h.means) == key("raw"))
    kept = [i for i, h in enumerate(reading.hypotheses) if h.mode != "raw"]
    scores = scores_of(np.exp(reading.scores.misfit[kept]), 9.0)
    left = tuple(reading.hypotheses[i] for i in kept)
    best = next(i for i, h in enumerate(left) if h.is_identity)
    for rough, is_ok in ((0.5, True), (0.2, False)):
        dropped = ((raw, rough),)
        short = dataclasses.replace(
            reading, hypotheses=left, scores=scores, as_fed=best, best=best, dropped=dropped
        )
        found = posterior(case(short), short)
        assert (found.of_fed > 0.7) == is_ok and found.rival[0] != "raw"


def test_the_trial_is_left_out_where_it_would_decide_nothing():
    class Never:
        def of(self, *_):
            raise AssertionError("the network was run")

    reading = reading_of({FED: 0.1, TF: 0.9}, FED)
    tried = posterior(case(reading, trial=Never()), reading)
    assert tried.of_fed > 0.9 and not tried.trials
    assert decide(case(reading, trial=TrialOf(-9.0))).status == "ok"


def with_extra(reading, *extra):
    """Returns a reading with more columns of misfits, each of a kind of hypothesis."""
    misfits = np.append(np.exp(reading.scores.misfit), [misfit for _, misfit in extra])
    kinds = tuple((kind, AS_FED) for kind, _ in extra)
    return dataclasses.replace(reading, scores=scores_of(misfits, 9.0), extra=kinds)


@pytest.mark.parametrize(("low", "status"), [(0.2, "unknown"), (0.3, "mismatch")])
def test_pale_training_images_look_like_smaller_numbers(low, status):
    """Training images of half the contrast look like images with numbers of half the size."""
    fed = InputConvention("tf", "unknown")
    reading = reading_of({FED: 0.2, TF: 0.8}, FED, observed=fed)
    verdict = decide(case(with_extra(reading, (("tf", False), low)), fed, images=RAW / 127.5 - 1))
    assert verdict.status == status, verdict


@pytest.mark.parametrize(("rival", "status"), [(0.2, "ok"), (0.1, "unknown")])
def test_gray_training_images_may_have_been_paler(rival, status):
    gray = InputConvention("unit", "gray")
    reading = reading_of({FED: 0.1}, FED, gray, channels=1)
    assert decide(case(with_extra(reading, (("tf", False), rival)), gray)).status == status


@pytest.mark.parametrize(("negative", "status"), [(0.2, "ok"), (0.1, "unknown")])
def test_negatives_of_colour_photos_are_not_right(negative, status):
    reading = reading_of({FED: 0.15}, FED)
    verdict = decide(case(with_extra(reading, (("unit", True), negative))))
    assert verdict.status == status
    assert ("may be negatives" in verdict.evidence[0]) == (status == "unknown")


@pytest.mark.parametrize(("misfit", "status"), [(0.1, "unknown"), (0.3, "mismatch")])
def test_the_training_may_have_standardised_each_image_by_itself(misfit, status):
    """Such images are in no convention, and nearly look like those of `torch`."""
    reading = reading_of({TORCH: 0.2, FED: 0.9}, TORCH)
    verdict = decide(case(with_extra(reading, (STANDARDISED, misfit))))
    assert verdict.status == status, verdict
    assert ("standardised one by one" in verdict.evidence[0]) == (status == "unknown")


def test_what_an_unknown_verdict_names():
    # The expected mode is certain, the observed convention is not.
    named = decide(case(reading_of({TF: 0.2, FED: 0.8}, TF), certainty=0.3))
    assert (named.status, named.expected.mode) == ("unknown", "tf")
    # Another mode fits as well, or none fits, or there are too few images.
    rival = {TF: 0.2, FED: 0.8, key("raw"): 0.22}
    for reading in (
        reading_of(rival, TF),
        reading_of({TF: 0.5, FED: 0.8}, TF),
        reading_of({TF: 0.2, FED: 0.8}, TF, num_images=3),
    ):
        verdict = decide(case(reading, certainty=0.3))
        assert (verdict.status, verdict.expected.is_known) == ("unknown", False)
        assert verdict.observed == UNIT


@pytest.mark.parametrize(
    ("best", "rival", "sigmas", "status"),
    [
        (0.4, 0.5, 9.0, "ok"),
        (0.4, 0.41, 9.0, "unknown"),  # another mode fits as well
        (0.5, 1.0, 9.0, "ok"),
        (0.6, 1.0, 9.0, "unknown"),  # as well as that, anything fits
        (0.4, 0.5, 0.9, "unknown"),  # the gap may be chance
    ],
)
def test_how_well_what_is_fed_must_fit(best, rival, sigmas, status):
    reading = reading_of({FED: best, TF: rival}, FED, sigmas=sigmas)
    assert decide(case(reading)).status == status


def test_what_is_fed_fits_best():
    verdict = decide(case(reading_of({FED: 0.3}, FED), certainty=0.3))
    assert (verdict.status, verdict.expected) == ("ok", InputConvention("unit", "rgb"))


SWAPPED = key("unit", swap=True)


@pytest.mark.parametrize(
    ("fits", "more", "trial", "status"),
    [
        # Batch norm alone is no proof of a swap, because a color cast looks the same.
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 9.0}, None, "unknown"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 9.0}, 1.2, "unknown"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 9.0}, -1.3, "ok"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 9.0}, 1.4, "mismatch"),
        ({SWAPPED: 0.34, FED: 0.5}, {"swap_sigmas": 9.0}, 2.1, "mismatch"),
        # A swap needs two kinds of evidence. One is the trial; here batch norm is too uncertain.
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 1.2}, 9.0, "unknown"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 1.4}, 9.0, "mismatch"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 2.1}, None, "unknown"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 1.0}, 0.2, "ok"),
        ({SWAPPED: 0.2, FED: 0.3}, {"swap_sigmas": 0.0}, 9.0, "unknown"),
    ],
)
def test_swapped_channels(fits, more, trial, status):
    trial = None if trial is None else TrialOf(trial)
    verdict = decide(case(reading_of(fits, SWAPPED, **more), trial=trial))
    assert verdict.status == status, verdict
    orders = verdict.expected.channel_order, verdict.observed.channel_order
    if status == "unknown":
        assert verdict.swap_is_possible
    if status == "mismatch":
        assert orders == ("rgb", "bgr") and verdict.is_proven
        assert f"swapped ({more['swap_sigmas']:.1f} standard errors" in verdict.evidence[0]
        assert "exchanged the network sees better" in verdict.evidence[1]


@pytest.mark.parametrize(
    ("after_levels", "status"), [(2.1, "mismatch"), (1.1, "unknown"), (-3.0, "ok")]
)
def test_a_color_cast_is_no_swap(after_levels, status):
    """A swap also helps once the levels are corrected; otherwise a cast explains it."""

    class Trials(TrialOf):
        def of(self, fix, than=None, limit=32):
            corrected = 2.0 in than.scale and 2.0 in fix.scale
            return TrialOf(after_levels).answer if corrected else self.answer

    reading = reading_of({SWAPPED: 0.2, FED: 0.3}, SWAPPED, swap_sigmas=13.0)
    verdict = decide(case(reading, trial=Trials(3.3), levels=(np.array([2.0, 1, 1]), np.zeros(3))))
    assert verdict.status == status, verdict


@pytest.mark.parametrize(
    ("features", "logits", "head_tells", "status", "is_possible"),
    [
        (1.0, -1.0, False, "unknown", True),  # logits that tell no images apart prove nothing
        (1.0, -1.3, True, "ok", True),
        (-1.3, -1.3, False, "ok", True),
        (9.0, -1.0, False, "unknown", True),  # but they can prevent a mismatch
        (9.0, 9.0, False, "mismatch", False),
    ],
)
def test_a_swap_and_a_head_that_tells_no_images_apart(
    features, logits, head_tells, status, is_possible
):
    reading = reading_of({SWAPPED: 0.2, FED: 0.3}, SWAPPED, swap_sigmas=9.0)
    trial = TrialOf(features, logits=logits, head_tells=head_tells)
    verdict = decide(case(reading, trial=trial))
    assert (verdict.status, verdict.swap_is_possible) == (status, is_possible)


@pytest.mark.parametrize(
    ("swap_sigmas", "trial", "order"),
    [(0, -9, "bgr"), (9, 9, "bgr"), (-9, -1.2, "bgr"), (-9, -1.4, "rgb")],
)
def test_the_fix_of_a_mode_takes_the_order_that_the_means_name(swap_sigmas, trial, order):
    """Unless batch norm and the trial are as sure of the other order as a mere swap takes."""
    observed = InputConvention("caffe", "bgr")
    swapped = key("tf", swap=swap_sigmas >= 0)
    fits = {swapped: 0.2, key("caffe", means="bgr"): 9.0}
    reading = reading_of(fits, swapped, observed, swap_sigmas=abs(swap_sigmas))
    structure = published("tf")

    class Orders(TrialOf):
        """The fix of the mode helps; another order of the channels does a little harm."""

        def of(self, fix, than=None, limit=32):
            scales = fix.scale[0], 1.0 if than is None else than.scale[0]
            return TrialOf(trial).answer if scales[0] == scales[1] else self.answer

    images = observed.from_raw(RAW)
    found = case(reading, observed, structure=structure, images=images, trial=Orders(9.0))
    verdict = decide(found)
    assert (verdict.status, verdict.expected.mode) == ("mismatch", "tf")
    assert verdict.observed.channel_order == order


@pytest.mark.parametrize(("trial", "order"), [(1.4, "bgr"), (1.2, "rgb"), (None, "rgb")])
def test_a_swap_inside_a_fix_is_as_sure_as_a_mere_swap(trial, order):
    swapped = key("tf", swap=True)
    reading = reading_of({swapped: 0.2, FED: 0.8}, swapped, swap_sigmas=9.0)
    found = case(reading, trial=None if trial is None else TrialOf(trial))
    verdict = decide(found)
    assert (verdict.status, verdict.observed.channel_order) == ("mismatch", order)
    assert verdict.swap_is_possible == (order == "rgb")
    # What would be less probable than the other order is no fix.
    assert not (verdict.is_proven and order == "rgb")


@pytest.mark.parametrize(
    ("trial", "means", "orders", "is_proven"),
    [
        (2.5, "bgr", ("bgr", "rgb"), True),  # the swap is as sure as a mere swap
        (0.5, "bgr", ("bgr", "rgb"), True),  # the usual order of `caffe`, and nothing against it
        (-1.0, "bgr", ("bgr", "rgb"), False),  # the trial speaks against it
        (-2.5, "bgr", ("bgr", "bgr"), True),  # the images are BGR
        (-2.5, "rgb", ("rgb", "rgb"), True),  # the network takes the means in RGB order
    ],
)
def test_the_usual_order_of_a_mode_swaps_nothing_in_a_fix(trial, means, orders, is_proven):
    """A network that takes images minus the means in RGB order once got a fix that swaps them."""

    class Orders(TrialOf):
        """The fix of the scale helps; `trial` is that of another order of the channels."""

        def of(self, fix, than=None, limit=32):
            is_of_order = than is not None and fix.scale[0] == than.scale[0]
            return TrialOf(trial).answer if is_of_order else self.answer

    fits = {key("caffe", means=each): 0.2 if each == means else 0.25 for each in ("rgb", "bgr")}
    reading = reading_of({**fits, FED: 0.9}, key("caffe", means=means))
    verdict = decide(case(reading, trial=Orders(9.0)))
    assert (verdict.status, verdict.expected.mode) == ("mismatch", "caffe")
    assert (verdict.expected.channel_order, verdict.observed.channel_order) == orders
    assert verdict.is_proven == is_proven


@pytest.mark.parametrize(("swap_sigmas", "orders"), [(1.9, ("rgb", "bgr")), (2.1, ("bgr", "bgr"))])
def test_networks_are_assumed_to_take_rgb(swap_sigmas, orders):
    # The means were subtracted in BGR order; batch norm fits tf without a swap.
    observed = InputConvention("caffe", "bgr")
    fits = {TF: 0.2, key("caffe", means="bgr"): 9.0}
    reading = reading_of(fits, TF, observed, swap_sigmas=swap_sigmas)
    verdict = decide(case(reading, observed, images=observed.from_raw(RAW)))
    assert (verdict.status, verdict.observed) == ("mismatch", observed)
    assert (verdict.expected.mode, verdict.expected.channel_order) == ("tf", orders[0])
    assert verdict.order_is_usual == (orders[0] == "rgb")


@pytest.mark.parametrize(
    ("fed", "swap_sigmas", "status"),
    [
        ("raw", 0.0, "unknown"),
        ("raw", 2.0, "unknown"),
        ("raw", -9.0, "ok"),
        ("unit", 0.0, "mismatch"),
    ],
)
def test_images_for_a_stated_bgr_are_assumed_to_be_rgb_but_not_accused(fed, swap_sigmas, status):
    observed = InputConvention(fed, "unknown")
    fits = {key("raw"): 0.2, key("raw", swap=True): 0.25}
    best = key("raw", swap=swap_sigmas > 0)
    reading = reading_of(fits, best, observed, swap_sigmas=abs(swap_sigmas))
    images = observed.from_raw(RAW)
    found = case(reading, observed, 0.97, published("raw", "bgr"), images, stated=True)
    verdict = decide(found)
    assert verdict.status == status, verdict
    if status != "ok":
        assert (verdict.expected.channel_order, verdict.observed.channel_order) == ("bgr", "rgb")


def test_means_in_the_published_order_are_not_swapped():
    observed, structure = InputConvention("torch", "bgr"), published("caffe", "bgr")
    images = observed.from_raw(RAW)
    verdict = decide(case("None.", observed, 0.97, structure, images, trial=TrialOf(9.0)))
    assert verdict.status == "mismatch"
    assert verdict.expected.channel_order == verdict.observed.channel_order == "bgr"


def test_twins_take_the_trial():
    # If means and pixels are reversed together, the first layers cannot tell the difference.
    observed = InputConvention("caffe", "rgb")
    own, twin = key("caffe", means="rgb"), key("caffe", True, "bgr")
    for best, sigmas, trial, status in (
        (twin, 4.1, 2.1, "mismatch"),
        (twin, 4.1, -9.0, "unknown"),
        (own, 9.0, 9.0, "ok"),
    ):
        reading = reading_of({own: 0.2, twin: 0.2}, best, observed, swap_sigmas=sigmas)
        images = observed.from_raw(RAW)
        found = decide(case(reading, observed, images=images, trial=TrialOf(trial)))
        assert found.status == status, found


@pytest.mark.parametrize(
    ("misfit", "gap", "status"),
    [(0.19, 1.0, "mismatch"), (0.21, 1.0, "unknown"), (0.1, 0.3, "unknown")],
)
def test_inverted_gray_must_fit_well_and_nothing_else(misfit, gap, status):
    gray = InputConvention("unit", "gray")
    inverted = key("unit", inverted=True)
    fits = {inverted: misfit, key("unit"): misfit * np.exp(gap)}
    reading = reading_of(fits, inverted, gray, channels=1)
    assert decide(case(reading, gray)).status == status


@pytest.mark.parametrize(("inverted", "status"), [(0.21, "mismatch"), (0.19, "unknown")])
def test_a_scale_may_be_surer_than_that_dark_and_bright_are_in_place(inverted, status):
    gray = InputConvention("raw", "gray")
    fits = {key("tf"): 0.2, key("tf", inverted=True): inverted, key("raw"): 9.0}
    verdict = decide(case(reading_of(fits, TF, gray, channels=1), gray, images=RAW))
    assert verdict.status == status, verdict
    if status == "mismatch":
        assert (verdict.expected.mode, verdict.observed) == ("tf", gray)


@pytest.mark.parametrize(("logits", "status"), [(-2.1, "ok"), (-1.9, "unknown")])
def test_features_and_logits_must_both_be_worse_in_every_other_mode(logits, status):
    verdict = decide(case("There is no batch norm.", trial=TrialOf(-9.0, logits=logits)))
    assert verdict.status == status
    if status == "ok":
        assert "in every other mode, by 2.1 standard errors" in verdict.evidence[0]


@pytest.mark.parametrize(("sigmas", "status"), [(-9.0, "ok"), (9.0, "unknown")])
def test_images_that_the_trial_acquits_may_be_swapped(sigmas, status):
    class Orders(TrialOf):
        def of(self, fix, than=None, limit=32):
            return TrialOf(sigmas).answer if fix.permutation else self.answer

    verdict = decide(case("There is no batch norm.", trial=Orders(-9.0)))
    assert (verdict.status, verdict.swap_is_possible) == (status, sigmas > 0)


def test_the_trial_does_not_acquit_images_that_should_be_standardised_one_by_one():
    class Each(TrialOf):
        def of(self, fix, than=None, limit=32):
            return TrialOf(3.0).answer if fix.each else self.answer

    verdict = decide(case("There is no batch norm.", trial=Each(-9.0)))
    assert verdict.status == "unknown"


@pytest.mark.parametrize(("misfit", "status"), [(0.5, "ok"), (0.56, "unknown")])
def test_images_unlike_those_of_the_training_are_not_right(misfit, status):
    # Garbled images, too, can have worse scores in every other mode.
    rival = misfit * np.exp(0.29)
    reading = reading_of({FED: misfit, TF: rival}, FED)
    assert decide(case(reading, trial=TrialOf(-9.0))).status == status


@pytest.mark.parametrize(
    ("mode", "status"), [("raw", "unknown"), ("caffe", "unknown"), ("tf", "ok"), ("unit", "ok")]
)
def test_without_batch_norm_large_numbers_are_not_right_because_they_score_best(mode, status):
    """DINOv2, trained on small numbers, once scored best with those of caffe."""
    fed = InputConvention(mode, "bgr" if mode == "caffe" else "unknown")
    found = case("None.", fed, images=fed.from_raw(RAW), trial=TrialOf(-9.0))
    assert decide(found).status == status


def test_without_batch_norm_the_reason_is_given():
    verdict = decide(case("There is no batch norm."))
    assert (verdict.status, verdict.expected, verdict.observed) == ("unknown", UNKNOWN, UNIT)
    assert verdict.evidence == ("There is no batch norm.", "It was seen.")


# --- the published convention --------------------------------------------------------------


def published(mode, order="rgb", **more):
    expected = InputConvention(mode, order)
    text = ("It is published.",)
    return StructuralExpectation(0, "input", expected, expected, "ANet", evidence=text, **more)


@pytest.mark.parametrize(
    ("expected", "certainty", "trial", "status"),
    [
        ("unit", 0.3, None, "ok"),
        ("tf", 0.97, None, "unknown"),  # the structure alone is no proof of a mismatch
        ("tf", 0.97, TrialOf(3.1), "mismatch"),
        ("tf", 0.97, TrialOf(2.9), "unknown"),
        ("tf", 0.97, TrialOf(3.1, told_apart=0.49), "unknown"),
        ("tf", 0.97, TrialOf(3.1, num_images=15), "unknown"),
        ("tf", 0.97, TrialOf(9.0, num_images=7), "unknown"),
        ("tf", 0.89, TrialOf(9.0), "unknown"),  # the observed convention must be certain as well
        (
            "tf",
            0.97,
            TrialOf(-2.1),
            "ok",
        ),  # the scores of the trial are worse in every other mode
        ("tf", 0.97, TrialOf(-1.9), "unknown"),
    ],
)
def test_the_structure_names_the_suspect(expected, certainty, trial, status):
    found = case("No batch norm.", UNIT, certainty, published(expected), RAW / 255, trial=trial)
    verdict = decide(found)
    assert verdict.status == status, verdict
    fed_is_right = status == "ok" and expected == "tf"
    assert verdict.expected == InputConvention("unit" if fed_is_right else expected)
    if status != "mismatch":  # for a mismatch, the stub also prefers a swap
        assert verdict.observed.channel_order == "rgb"
    if status == "unknown":
        assert verdict.evidence[0].startswith("ANet is published for tf")
        assert "do not confirm it" in verdict.evidence[0]


def test_untrained_weights_confirm_nothing():
    fresh = published("tf", fresh=True)
    verdict = decide(case("None.", UNIT, 0.97, fresh, RAW / 255, trial=TrialOf(9.0)))
    assert verdict.status == "unknown" and "untrained" in verdict.evidence[0]
    scratch = decide(case("None.", UNIT, 0.97, fresh, scratch=True))
    assert scratch.status == "unknown" and "trained from scratch" in scratch.evidence[0]
    assert not scratch.expected.is_known
    begins = dataclasses.replace(case("None.", UNIT, 0.97, fresh, scratch=True), begins=True)
    begins = decide(begins)
    assert begins.status == "ok" and begins.expected == begins.observed == UNIT


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize(("learnt", "status"), [(UNIT, "ok"), (InputConvention("raw"), "unknown")])
def test_what_a_network_learnt_here_is_right_and_nothing_else_is_wrong(learnt, status, begins):
    found = case("None.", UNIT, 0.97, scratch=True)
    verdict = decide(dataclasses.replace(found, learnt=learnt, begins=begins))
    assert (verdict.status, verdict.expected) == (status, learnt)
    assert verdict.trained_here == (begins and status == "ok")


def test_pale_images_are_not_convicted():
    pale = (135 + RAW * (120 / 255)) / 255
    for images, status in ((RAW / 255, "mismatch"), (pale, "unknown")):
        found = case("None.", UNIT, 0.99, published("tf"), images, trial=TrialOf(9.0))
        assert decide(found).status == status
    # Paleness does not explain a factor of 127.
    raw = InputConvention("raw", "unknown")
    found = case("None.", raw, 0.99, published("tf"), pale * 255, trial=TrialOf(9.0))
    assert decide(found).status == "mismatch"


MUTE = {"logits": -2.0, "head_tells": False}


@pytest.mark.parametrize(
    ("head", "observed", "sigmas", "more", "status"),
    [
        ("published", UNIT, 1.6, {}, "mismatch"),
        ("own", UNIT, 3.4, {}, "unknown"),
        ("own", UNIT, 3.6, {}, "mismatch"),
        # A classifier (head) that cannot tell images apart prevents a mismatch, unless the values
        # have a different scale.
        ("own", UNIT, 3.6, {"told_apart": 0.4}, "unknown"),
        ("own", InputConvention("raw", "unknown"), 3.6, {"told_apart": 0.4}, "mismatch"),
        # Logits that cannot tell images apart do not prevent a mismatch of scale.
        ("own", InputConvention("raw", "unknown"), 9.0, {"logits": -2.0}, "unknown"),
        ("own", InputConvention("raw", "unknown"), 9.0, MUTE, "mismatch"),
        ("own", UNIT, 9.0, MUTE, "unknown"),
        ("own", InputConvention("raw", "unknown"), 1.9, {}, "unknown"),
        ("own", InputConvention("raw", "unknown"), 2.1, {}, "mismatch"),
        # Labels that become more probable are stronger evidence.
        ("own", UNIT, 1.9, {"by_labels": True}, "unknown"),
        ("own", UNIT, 2.1, {"by_labels": True}, "mismatch"),
        ("own", UNIT, 2.1, {"by_labels": True, "told_apart": 0.4}, "mismatch"),
    ],
)
def test_a_trained_head_must_agree(head, observed, sigmas, more, status):
    fed = key(observed.mode)
    reading = reading_of({TF: 0.2, fed: 0.8}, TF, observed)
    structure = dataclasses.replace(NOTHING, head=head)
    found = case(reading, observed, structure=structure, trial=TrialOf(sigmas, **more))
    assert decide(found).status == status


def test_a_convention_that_was_fitted_to_dark_images_convicts_nobody():
    # A scale and an offset were fitted to dark images in [-1, 1], and to images outside of [-1, 1].
    for factor, status in ((0.1, "unknown"), (3.0, "mismatch")):
        images = RAW / 127.5 * factor - 1
        fitted = InputConvention("custom", "unknown", (factor / 127.5,) * 3, (-1.0,) * 3)
        reading = reading_of({TF: 0.1, key("as fed"): 0.9}, TF, fitted)
        found = case(reading, fitted, 0.6, images=images, trial=TrialOf(9.0))
        assert decide(found).status == status


def test_the_order_that_the_means_name():
    observed = InputConvention("caffe", "rgb")
    images = observed.from_raw(RAW)
    for trial, status in (
        (None, "unknown"),
        (TrialOf(3.1), "mismatch"),
        (TrialOf(-1.5), "ok"),
    ):
        structure = published("caffe", "bgr")
        verdict = decide(case("None.", observed, 0.97, structure, images, trial=trial))
        assert verdict.status == status and any("in RGB order" in s for s in verdict.evidence)
        assert verdict.swap_is_possible or status == "mismatch"
        if status == "mismatch":
            assert (verdict.expected.channel_order, verdict.observed) == ("bgr", observed)


RAW_KEY = key("raw")


@pytest.mark.parametrize(
    ("fits", "more", "expected"),
    [
        ({RAW_KEY: 0.2, TF: 0.5, FED: 0.9}, {}, "raw"),
        # The published mode is expected, unless batch norm is certain of the other mode.
        ({RAW_KEY: 0.2, TF: 0.2 * np.exp(0.29), FED: 0.9}, {}, "tf"),
        ({RAW_KEY: 0.2, TF: 0.34, FED: 0.9}, {"sigmas": 0.5}, "tf"),
        ({RAW_KEY: 0.2, TF: 0.34, FED: 0.9}, {"num_images": 3}, "tf"),
    ],
)
def test_weights_that_were_trained_on_another_convention(fits, more, expected):
    verdict = decide(case(reading_of(fits, RAW_KEY, **more), UNIT, 0.97, published("tf")))
    assert verdict.expected.mode == expected
    text = "but the batch norm fits images in raw (0..255) better."
    assert any(text in sentence for sentence in verdict.evidence) == (expected == "raw")
    assert verdict.status == ("mismatch" if expected == "raw" else "unknown")
    assert not (verdict.status == "mismatch" and verdict.is_proven)  # no fix without a trial


def test_what_is_fed_is_what_the_weights_were_trained_on():
    reading = reading_of({FED: 0.2, TF: 0.5}, FED)
    verdict = decide(case(reading, UNIT, 0.97, published("tf")))
    assert (verdict.status, verdict.expected.mode) == ("ok", "unit")
    assert any("disagree" in sentence for sentence in verdict.evidence)


# --- a stated convention ----------------------------------------------------------------------


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
@pytest.mark.parametrize("who", [{"stated": True}, {"speaks": True}], ids=["stated", "layers"])
def test_a_word_needs_no_witness(who, expected, certainty, factor, status):
    observed = UNIT if factor == 1 else InputConvention("raw", "unknown")
    structure = published(expected, speaks="speaks" in who)
    images, stated = RAW / 255 * factor, "stated" in who
    found = case("None.", observed, certainty, structure, images, stated=stated)
    verdict = decide(found)
    assert verdict.status == status, verdict
    assert verdict.expected == InputConvention(expected) and verdict.is_proven
    assert "RGB is assumed" in verdict.evidence[-1]


def test_batch_norm_may_contradict_the_layers_but_not_the_user():
    reading = reading_of({FED: 0.2, TF: 0.5}, FED)
    layers = case(reading, UNIT, 0.97, published("tf", speaks=True))
    stated = case(reading, UNIT, 0.97, published("tf"), stated=True)
    assert decide(layers).status == "ok" and decide(stated).status == "mismatch"


@pytest.mark.parametrize(
    ("name", "trial", "status"),
    [
        (None, None, "mismatch"),
        (None, TrialOf(9.0), "mismatch"),
        (None, TrialOf(-1.9), "mismatch"),
        # A network of the user's own may have been trained on what it is fed.
        (None, TrialOf(-2.1), "unknown"),
        (None, TrialOf(-2.1, told_apart=0.11), "unknown"),
        (None, TrialOf(-2.1, told_apart=0.09), "mismatch"),
        (None, TrialOf(-2.1, num_images=7), "mismatch"),
        (None, TrialOf(-2.1, logits=0.1), "mismatch"),
        ("ANet", TrialOf(-2.1), "mismatch"),
    ],
)
def test_the_trial_may_object_to_the_layers_of_an_unknown_network(name, trial, status):
    layers = dataclasses.replace(
        NOTHING, convention=InputConvention("raw"), architecture=name, speaks=True
    )
    verdict = decide(case("No batch norm.", structure=layers, trial=trial))
    assert verdict.status == status, verdict


@pytest.mark.parametrize(
    ("head", "trial", "status"),
    [
        ("own", None, "unknown"),
        ("own", TrialOf(9.0, num_images=7), "unknown"),
        ("own", TrialOf(3.6), "mismatch"),
        # The frozen network sees better with the fix in any case, but only by a little.
        ("own", TrialOf(3.4), "unknown"),
        ("own", TrialOf(3.4, told_apart=0.4), "unknown"),
        ("own", TrialOf(9.0, logits=-0.5), "mismatch"),  # a single logit tells no images apart
        ("own", TrialOf(1.1, by_labels=True), "mismatch"),
        ("own", TrialOf(0.9, by_labels=True), "unknown"),
        # A published head was trained together with its network, and a new one not at all.
        ("published", TrialOf(-9.0), "mismatch"),
        ("fresh", TrialOf(-9.0), "mismatch"),
        ("none", TrialOf(-9.0), "mismatch"),
    ],
)
def test_a_head_may_have_learned_what_the_layers_are_not_made_for(head, trial, status):
    """It was trained on x / 255 in front of a frozen network with a `Rescaling` of its own."""
    layers = published("raw", speaks=True, head=head)
    verdict = decide(case("No batch norm.", structure=layers, trial=trial))
    assert verdict.status == status, verdict
    said = any("may have learned from images like these" in s for s in verdict.evidence)
    assert said == (status == "unknown")


@pytest.mark.parametrize(
    ("scale", "name", "fits", "trial", "status"),
    [
        (16.0, None, None, None, "unknown"),
        (16.0, None, None, TrialOf(2.9), "unknown"),
        (16.0, None, None, TrialOf(3.1), "mismatch"),
        (16.0, None, (0.2, 0.8), None, "mismatch"),  # batch norm knows 0..255
        (16.0, None, (0.6, 0.9), None, "unknown"),
        (16.0, "ANet", None, None, "mismatch"),
        # No network learns from numbers that its own layers make so small.
        (0.01, None, None, None, "mismatch"),
    ],
)
def test_a_network_may_have_learned_from_12_bit_images(scale, name, fits, trial, status):
    """It has a left-over `Rescaling(1 / 255)`, whose result is then in 0..16."""
    layers = dataclasses.replace(
        NOTHING, convention=InputConvention("raw"), architecture=name, speaks=True
    )
    observed = InputConvention("custom", "unknown", (scale,) * 3, (0.0,) * 3)
    reading: Reading | str = "No batch norm."
    if fits is not None:
        reading = reading_of({RAW_KEY: fits[0], key("as fed"): fits[1]}, RAW_KEY, observed)
    verdict = decide(case(reading, observed, 0.6, layers, RAW * scale, trial=trial))
    assert verdict.status == status, verdict


@pytest.mark.parametrize(
    ("scale", "trial", "status"),
    [
        (0.01, 9.0, "unknown"),
        (0.01, None, "unknown"),
        # No other scene explains a scale that is far off.
        (1.0, 9.0, "mismatch"),
        (1.0, 0.0, "unknown"),
    ],
)
@pytest.mark.parametrize("order", ["gray", "unknown"])
def test_the_mean_of_the_images_at_hand_does_not_convict_them(order, scale, trial, status):
    """Images of one class or exposure have another mean than those of the training.

    Batch norm then prefers images that are standardized by their own mean, and the network may see
    better in them. Nothing shows that they were preprocessed differently.
    """
    channels = 1 if order == "gray" else 4
    observed = InputConvention("custom", order, (scale,) * channels, (-40 * scale,) * channels)
    images = RAW[..., [0, 1, 2, 0][:channels]] * scale - 40 * scale
    hypotheses = hypotheses_for(observed, summarise(images), None)
    fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    own = next(i for i, h in enumerate(hypotheses) if h.mode == "custom" and not h.inverted)
    misfit = np.ones(len(hypotheses))
    misfit[[fed, own]] = 0.2, 0.1
    reading = Reading(tuple(hypotheses), scores_of(misfit, 9.0), fed, own, 0.0, 12)
    found = case(reading, observed, images=images, trial=trial and TrialOf(trial))
    verdict = decide(found)
    assert verdict.status == status, verdict
    assert ("another scene" in verdict.evidence[0]) == (status == "unknown")


@pytest.mark.parametrize(("share", "status"), [(0.21, "ok"), (0.19, "unknown")])
def test_values_in_a_corner_of_a_stated_range_confirm_nothing(share, status):
    """Dark images in [0, 1] fill a small part of the range of a convention such as CLIP's."""
    expected = InputConvention("custom", "rgb", (0.01,) * 3, (-1.0,) * 3)
    images = np.linspace(-0.5, -0.5 + 2.55 * share, 600).reshape(50, 2, 2, 3)
    structure = dataclasses.replace(published("raw"), convention=expected, inner=expected)
    found = case("None.", UNKNOWN, 0.0, structure, images, stated=True)
    assert decide(found).status == status


@pytest.mark.parametrize(("edge", "status"), [(1.29, "unknown"), (1.31, "mismatch")])
@pytest.mark.parametrize("low", [False, True])
def test_how_far_outside_values_may_lie(edge, status, low):
    # Random brightness that does not clip can move many values out, by a part of the range.
    images = np.full((10, 10, 10, 3), 0.4 if low else 0.6)
    images[:, 0] = 1 - edge if low else edge
    observed = InputConvention("custom", "unknown", (0.01,) * 3, (0.0,) * 3)
    found = case("None.", observed, 0.3, published("unit"), images, stated=True)
    assert decide(found).status == status


@pytest.mark.parametrize(
    ("low", "high", "certainty", "status"),
    [
        (-0.05, 0.65, 0.3, "ok"),
        (-0.05, 0.53, 0.3, "unknown"),  # the values fill too little of [0, 1]
        (0.05, 0.9, 0.3, "unknown"),  # neither black nor white
        (-0.09, 1.09, 0.3, "ok"),
        (-0.2, 1.0, 0.3, "unknown"),  # more than 5 % are outside
        (-0.4, 1.0, 0.3, "mismatch"),  # more than 5 % are far outside
        (0.0, 1.0, 0.49, "ok"),
        (0.0, 1.0, 0.51, "unknown"),  # probably another convention
    ],
)
@pytest.mark.parametrize("who", ["stated", "layers"])
def test_augmented_images_fill_the_stated_range(who, low, high, certainty, status):
    images = np.linspace(low, high, 1200).reshape(100, 2, 2, 3)
    observed = InputConvention("custom", "unknown", (0.01,) * 3, (-0.1,) * 3)
    structure = published("unit", speaks=who == "layers")
    found = case("None.", observed, certainty, structure, images, stated=who == "stated")
    assert decide(found).status == status
    for value, rest in ((-0.49, "ok"), (-0.51, "unknown")) if status == "ok" else ():
        images[0, 0, 0] = value  # one pixel may lie further outside
        found = case("None.", observed, certainty, structure, images, stated=who == "stated")
        assert decide(found).status == rest


@pytest.mark.parametrize(
    ("expected", "low", "by_grid", "status"),
    [
        ("tf", 0.06, False, "unknown"),  # they may be pale images in [-1, 1]
        ("tf", 0.005, False, "mismatch"),  # they reach black of [0, 1]
        ("tf", 0.06, True, "mismatch"),  # they lie on the 8-bit grid of [0, 1]
        ("raw", 0.06, False, "mismatch"),  # no paleness explains a factor of 255
    ],
)
@pytest.mark.parametrize("who", ["stated", "layers"])
def test_a_word_does_not_convict_pale_images(who, expected, low, by_grid, status):
    images = np.linspace(low, 1.0, 1200).reshape(100, 2, 2, 3)
    structure = published(expected, speaks=who == "layers")
    found = case("None.", UNIT, 0.97, structure, images, stated=who == "stated")
    observation = dataclasses.replace(found.observation, by_grid=by_grid)
    verdict = decide(dataclasses.replace(found, observation=observation))
    assert verdict.status == status, verdict


CLIP = InputConvention("custom", "rgb", (0.0146, 0.01501, 0.01422), (-1.79226, -1.75210, -1.48022))
HALF = InputConvention("custom", "rgb", (1 / 255,) * 3, (-0.5,) * 3)


def observed_and_stated(images, expected):
    """Returns the observation of images, and the verdict against a stated convention."""
    structure = dataclasses.replace(published("raw"), convention=expected, inner=expected)
    found = case("None.", structure=structure, images=images, stated=True)
    found = dataclasses.replace(found, observation=observe(found.summary))
    return found.observation, decide(found)


@pytest.mark.parametrize(
    ("edge", "status"), [(0.8, "unknown"), (0.95, "mismatch"), (1, "mismatch")]
)
def test_strong_contrast_is_no_other_convention(edge, status):
    """It takes images out of the stated range, into part of the range of [-1, 1]."""
    images = np.linspace(-edge, edge, 1200).reshape(100, 2, 2, 3)
    observation, verdict = observed_and_stated(images, HALF)
    assert (observation.convention.mode, observation.certainty) == ("tf", 0.97)
    assert verdict.status == status, verdict


@pytest.mark.parametrize(
    ("expected", "gain", "black", "status"),
    [
        (CLIP, [0.3, 0.3, 0.3], [0.0, 0.0, 0.0], "ok"),  # dark
        (HALF, [0.2, 0.7, 0.8], [5.0, 20.0, 30.0], "ok"),  # under water
    ],
)
def test_images_in_a_stated_convention_may_look_scaled_twice(expected, gain, black, status):
    images = expected.from_raw(np.tile(RAW, (2, 2, 2, 1)) * gain + black)
    observation, verdict = observed_and_stated(images, expected)
    assert observation.kind == "scaled_twice"
    assert verdict.status == status, verdict


@pytest.mark.parametrize(("stated", "status"), [(True, "ok"), (False, "unknown")])
def test_layers_do_not_acquit_images_that_reach_neither_black_nor_white(stated, status):
    images = np.linspace(0.1, 0.8, 1200).reshape(100, 2, 2, 3)
    structure = published("unit", speaks=not stated)
    found = case("None.", UNKNOWN, 0.0, structure, images, stated=stated)
    assert decide(found).status == status


NAMED = [
    InputConvention(*each) for each in (("raw",), ("unit",), ("tf",), ("torch",), ("caffe", "bgr"))
]
PALE_OR_DARK = {"plain": (0, 255), "pale": (60, 230), "low contrast": (40, 210), "dark": (10, 120)}


@pytest.mark.parametrize("levels", PALE_OR_DARK)
@pytest.mark.parametrize("number", [12, 20])
def test_pale_and_dark_photos_in_the_stated_convention_are_right(levels, number):
    black, white = PALE_OR_DARK[levels]
    raw = black + imagenet_photos(32)[0][:number] * ((white - black) / 255)
    for fed in NAMED:
        for stated in NAMED:
            _, verdict = observed_and_stated(fed.from_raw(raw), stated)
            is_known_gap = (levels, stated.mode, fed.mode) == ("low contrast", "tf", "torch")
            if not is_known_gap:  # they look like images in [-1, 1] that were augmented
                assert (verdict.status == "ok") == (fed == stated), (stated, fed, verdict)
    for mode in ("torch", "caffe"):  # the means in the other order
        expected = next(each for each in NAMED if each.mode == mode)
        other = InputConvention(mode, {"rgb": "bgr", "bgr": "rgb"}[expected.channel_order])
        _, verdict = observed_and_stated(other.from_raw(raw), expected)
        assert verdict.status != "ok", (expected, verdict)


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (0.0, 0.08, "ok"),
        (0.0, 0.05, "unknown"),  # the span is too small to tell dark images from other numbers
        (0.02, 0.5, "ok"),  # the darkest value is not black, but no other range fits as well
        (0.3, 0.5, "ok"),  # in [-1, 1], these values would span too little
        (0.3, 0.49, "unknown"),  # they span too little in any range
        (0.5, 1.0, "unknown"),  # white is 1 in [-1, 1] as well
    ],
)
def test_dark_images_begin_where_black_must_be(low, high, status):
    images = np.linspace(low, high, 1200).reshape(100, 2, 2, 3)
    found = case("None.", UNKNOWN, 0.0, published("unit"), images, stated=True)
    assert decide(found).status == status


@pytest.mark.parametrize(
    ("scale", "certainty", "status"),
    [(1 / 11, 0.5, "mismatch"), (1 / 11, 0.49, "unknown"), (1 / 9, 0.5, "unknown")],
)
def test_a_likely_convention_convicts_if_it_is_far(scale, certainty, status):
    observed = InputConvention("custom", "unknown", (scale,) * 3, (10.0,) * 3)
    found = case("None.", observed, certainty, published("raw"), RAW * scale + 10, stated=True)
    assert decide(found).status == status


@pytest.mark.parametrize(
    ("pixel", "factor", "status"),
    [(None, 1.0, "ok"), (300.0, 1.0, "unknown"), (None, 0.05, "mismatch")],
)
def test_one_broken_pixel_convicts_nobody(pixel, factor, status):
    """A hot pixel widens the range that is fitted to the extremes; it cannot narrow the range."""
    expected = InputConvention("custom", "rgb", (1 / 70,) * 3, (-1.8,) * 3)
    images = expected.from_raw(np.tile(RAW, (2, 16, 16, 1)))
    if pixel is not None:
        images[0, 0, 0] = pixel
    structure = dataclasses.replace(published("raw"), convention=expected, inner=expected)
    fed = images * factor
    found = case("None.", UNKNOWN, 0.0, structure, fed, stated=True)
    observed = observe(found.summary)
    if factor != 1:  # for which the fit alone is not certain enough
        observed = dataclasses.replace(observed, certainty=0.6)
    assert observed.is_fitted and observed.certainty == 0.6
    assert decide(dataclasses.replace(found, observation=observed)).status == status


def test_the_end_of_each_channel_counts_for_itself():
    """Green images in the convention of Caffe: most red and blue values are far below zero."""
    raw = RAW * [0.1, 1.0, 0.1]
    expected = InputConvention("custom", "rgb", (1.0, 1.0, 1.0), (-10.0, -10.0, -200.0))
    images = expected.from_raw(raw)
    images[0, 0, 0] -= 20.0  # so that the values do not simply fill the range
    structure = dataclasses.replace(published("raw"), convention=expected, inner=expected)
    observed = InputConvention("custom", "unknown", (1.0, 1.0, 1.0), (0.0, 0.0, -200.0))
    found = case("None.", observed, 0.3, structure, images, stated=True)
    assert decide(found).status != "mismatch"


# --- input that is unusable --------------------------------------------------------------


def test_broken_input():
    def status(kind, structure):
        return decide(case("None.", UNKNOWN, 1.0, structure, RAW, kind=kind)).status

    for structure in (NOTHING, published("tf")):
        assert status("nonfinite", structure) == "mismatch"
        assert status("constant", structure) == "unknown"


@pytest.mark.parametrize(
    ("structure", "stated", "status"),
    [
        (published("tf"), True, "mismatch"),
        # The network may have learned from such images with a left-over `Rescaling` in front.
        (published("tf", speaks=True), False, "unknown"),
        (dataclasses.replace(published("raw", speaks=True), architecture=None), False, "unknown"),
        (published("tf"), False, "unknown"),
        (NOTHING, False, "unknown"),
    ],
)
def test_only_a_statement_convicts_images_standardised_one_by_one(structure, stated, status):
    kind = "per_image_standardised"
    found = case("None.", UNKNOWN, 0.99, structure, RAW, kind=kind, stated=stated)
    assert decide(found).status == status


def test_batch_norm_fits_best_only_what_it_fits_best():
    fits = {key("unit"): 0.5, key("tf"): 0.8}
    for best, words in (("unit", "fits best (probability"), ("tf", "is possible, though another")):
        reading = reading_of(fits, key(best))
        found = posterior(case(reading), reading)
        assert words in evidence_words.batch_norm_in_words(reading, reading.best, found)


def test_the_sentence_on_batch_norm_says_that_dark_and_bright_are_exchanged():
    inverted, gray = key("unit", inverted=True), InputConvention("unit", "gray")
    reading = reading_of({inverted: 0.3}, inverted, gray, channels=1)
    found = posterior(case(reading, gray), reading)
    words = evidence_words.batch_norm_in_words(reading, reading.best, found)
    assert "unit ([0, 1]), gray with dark and bright exchanged fits best (probability" in words
    assert "misfit 0.30, as fed" in words
