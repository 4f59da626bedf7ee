"""Red and blue: exchanged, in place, or not to be told; a color cast looks like a swap."""

import numpy as np
import pytest
from known_evidence import (
    CAFFE,
    FED,
    RAW,
    SWAPPED,
    TO_RAW,
    TO_TF,
    UNIT,
    TrialOf,
    case,
    key,
    of_order,
    published,
)

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.decision import decide

SWAP_FITS = {SWAPPED: 0.2, FED: 0.3}


@pytest.mark.parametrize(
    ("swap_sigmas", "trial", "status"),
    [
        # A color cast looks the same to batch norm, and untrained networks often prefer a swap.
        (9.0, None, "unknown"),
        (9.0, TrialOf(0.5), "unknown"),
        (9.0, TrialOf(3.0), "mismatch"),
        (9.0, TrialOf(-2.0), "ok"),
        (0.5, TrialOf(9.0), "unknown"),
        (0.5, TrialOf(0.2), "ok"),
        # Logits that tell no images apart prove nothing, but they can prevent a mismatch.
        (9.0, TrialOf(9.0, logits=-1.0, head_tells=False), "unknown"),
        (9.0, TrialOf(9.0, logits=9.0, head_tells=False), "mismatch"),
        (9.0, TrialOf(-2.0, logits=-2.0, head_tells=False), "ok"),
    ],
)
def test_a_swap_needs_two_kinds_of_evidence(swap_sigmas, trial, status):
    verdict = decide(case(SWAP_FITS, swap_sigmas=swap_sigmas, trial=trial))
    assert verdict.status == status, verdict
    assert verdict.swap_is_possible or status != "unknown"
    if status == "mismatch":
        orders = verdict.expected.channel_order, verdict.observed.channel_order
        assert orders == ("rgb", "bgr") and verdict.is_proven
        assert "exchanged the network sees better" in verdict.evidence[1]


@pytest.mark.parametrize(
    ("after_levels", "status"), [(3.0, "mismatch"), (0.5, "unknown"), (-3.0, "ok")]
)
def test_a_color_cast_is_no_swap(after_levels, status):
    """A swap also helps once the levels are corrected; otherwise a cast explains it."""
    trial = TrialOf(lambda fix, than: after_levels if 2.0 in than.scale else 3.3)
    levels = np.array([2.0, 1, 1]), np.zeros(3)
    verdict = decide(case(SWAP_FITS, swap_sigmas=13.0, trial=trial, levels=levels))
    assert verdict.status == status, verdict


@pytest.mark.parametrize(
    ("swap_sigmas", "trial", "order"),
    [(0, -9, "bgr"), (9, 9, "bgr"), (-9, -0.5, "bgr"), (-9, -3, "rgb")],
)
def test_the_fix_of_a_mode_takes_the_order_that_the_means_name(swap_sigmas, trial, order):
    """Unless batch norm and the trial are as sure of the other order as a mere swap takes."""
    swapped = key("tf", swap=swap_sigmas >= 0)
    fits = {swapped: 0.2, key("caffe", means="bgr"): 9.0}
    facts = case(
        fits, CAFFE, structure=published("tf"), swap_sigmas=abs(swap_sigmas), trial=of_order(trial)
    )
    verdict = decide(facts)
    assert (verdict.status, verdict.expected.mode) == ("mismatch", "tf")
    assert verdict.observed.channel_order == order


@pytest.mark.parametrize(("trial", "order"), [(TrialOf(3), "bgr"), (None, "rgb")])
def test_a_swap_inside_a_fix_is_as_sure_as_a_mere_swap(trial, order):
    fits = {key("tf", swap=True): 0.2, FED: 0.8}
    verdict = decide(case(fits, swap_sigmas=9.0, trial=trial))
    assert (verdict.status, verdict.observed.channel_order) == ("mismatch", order)
    assert verdict.swap_is_possible == (order == "rgb")
    # What would be less probable than the other order is no fix.
    assert not (verdict.is_proven and order == "rgb")


@pytest.mark.parametrize(
    ("trial", "means", "orders", "is_proven"),
    [
        (4.0, "bgr", ("bgr", "rgb"), True),  # the swap is as sure as a mere swap
        (-1.0, "bgr", ("bgr", "rgb"), False),  # the trial speaks against it
        (-4.0, "bgr", ("bgr", "bgr"), True),  # the images are BGR
        (-4.0, "rgb", ("rgb", "rgb"), True),  # the network takes the means in RGB order
    ],
)
def test_the_usual_order_of_a_mode_swaps_nothing_in_a_fix(trial, means, orders, is_proven):
    """A network that takes images minus the means in RGB order once got a fix that swaps them."""
    fits = {key("caffe", means=each): 0.2 if each == means else 0.25 for each in ("rgb", "bgr")}
    verdict = decide(case({**fits, FED: 0.9}, trial=of_order(trial)))
    assert (verdict.status, verdict.expected.mode) == ("mismatch", "caffe")
    assert (verdict.expected.channel_order, verdict.observed.channel_order) == orders
    assert verdict.is_proven == is_proven


@pytest.mark.parametrize(("swap_sigmas", "order"), [(1.5, "rgb"), (3.0, "bgr")])
def test_networks_are_assumed_to_take_rgb(swap_sigmas, order):
    # The means were subtracted in BGR order; batch norm fits tf without a swap.
    fits = {TO_TF: 0.2, key("caffe", means="bgr"): 9.0}
    verdict = decide(case(fits, CAFFE, swap_sigmas=swap_sigmas))
    assert (verdict.status, verdict.observed, verdict.expected.mode) == ("mismatch", CAFFE, "tf")
    assert verdict.expected.channel_order == order
    assert verdict.order_is_usual == (order == "rgb")


@pytest.mark.parametrize(
    ("fed", "swap_sigmas", "status"),
    [(RAW, 0.0, "unknown"), (RAW, 1.5, "unknown"), (RAW, -9.0, "ok"), (UNIT, 0.0, "mismatch")],
)
def test_images_for_a_stated_bgr_are_assumed_to_be_rgb_but_not_accused(fed, swap_sigmas, status):
    fits = {TO_RAW: 0.2, key("raw", swap=True): 0.25}
    facts = case(
        fits,
        fed,
        structure=published("raw", "bgr"),
        best=key("raw", swap=swap_sigmas > 0),
        swap_sigmas=abs(swap_sigmas),
        stated=True,
    )
    verdict = decide(facts)
    assert verdict.status == status, verdict
    if status != "ok":
        assert (verdict.expected.channel_order, verdict.observed.channel_order) == ("bgr", "rgb")


def test_means_in_the_published_order_are_not_swapped():
    observed = InputConvention("torch", "bgr")
    verdict = decide(case(observed=observed, structure=published("caffe", "bgr"), trial=TrialOf(9)))
    assert verdict.status == "mismatch"
    assert verdict.expected.channel_order == verdict.observed.channel_order == "bgr"


@pytest.mark.parametrize(
    ("is_twin", "trial", "status"),
    [(True, 3.0, "mismatch"), (True, -9, "unknown"), (False, 9, "ok")],
)
def test_twins_take_the_trial(is_twin, trial, status):
    # If means and pixels are reversed together, the first layers cannot tell the difference.
    observed = InputConvention("caffe", "rgb")
    own, twin = key("caffe", means="rgb"), key("caffe", True, "bgr")
    best = twin if is_twin else own
    facts = case({own: 0.2, twin: 0.2}, observed, best=best, swap_sigmas=5.0, trial=TrialOf(trial))
    assert decide(facts).status == status


@pytest.mark.parametrize(
    ("trial", "status"), [(None, "unknown"), (TrialOf(4), "mismatch"), (TrialOf(-2), "ok")]
)
def test_the_order_that_the_means_name(trial, status):
    observed = InputConvention("caffe", "rgb")
    verdict = decide(case(observed=observed, structure=published("caffe", "bgr"), trial=trial))
    assert verdict.status == status and any("in RGB order" in s for s in verdict.evidence)
    assert verdict.swap_is_possible or status == "mismatch"
    if status == "mismatch":
        assert (verdict.expected.channel_order, verdict.observed) == ("bgr", observed)
