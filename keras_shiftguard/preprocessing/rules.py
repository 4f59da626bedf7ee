"""The rules that decide between "ok", "mismatch" and "unknown", in the order in which they apply.

A rule answers "mismatch" only on strong evidence, because a false alarm costs
more trust than a missed mismatch.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import Form
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import MIN_IMAGES, Reading
from keras_shiftguard.preprocessing.expected.hypotheses import Hypothesis
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_convention,
    as_observed,
    both_conventions,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observation import Observation, hits_an_end
from keras_shiftguard.profiles import InputSummary

UNKNOWN = InputConvention("unknown", "unknown")

# The limits were chosen on other photos and random draws than those of the benchmarks.
# examples/benchmarks/preprocessing.py measures how well they work. Fits are logarithms
# of the misfit (lower is better), gaps are differences of two fits, and sigmas are gaps in
# standard errors.
MIN_CERTAINTY = 0.9  # of the observation, for a mismatch
MIN_CERTAINTY_WIDE_GAP = 0.5  # likewise, if the gap is twice as wide
MAX_GOOD_FIT = np.log(0.26)  # of the best hypothesis; blurred or hazy images fit worse
# Images of other subjects may look inverted, so an inversion must fit better than
# `MAX_GOOD_FIT`, and by a wider gap.
MAX_INVERTED_FIT, MIN_INVERTED_GAP = np.log(0.2), 2.0
MAX_FAIR_FIT = np.log(0.35)  # images like those of the training fit at least this well
MIN_MODE_GAP, MIN_MODE_SIGMAS = 0.3, 3.0  # by which another mode must fit better
MIN_SWAP_GAP, MIN_SWAP_SIGMAS = 0.08, 4.0  # by which swapped channels must fit better
MIN_LIKELY_SWAP_SIGMAS = 2.0  # from here on a swap is called likely, but is no mismatch
# How far augmentation may take values out of 0..255, as a share of that range.
MAX_OUTSIDE = 0.1


@dataclass(frozen=True)
class Case:
    """All that is known about one input.

    Args:
        observation: What the input was fed.
        summary: The profile of the input.
        structure: What the model expects, according to its structure.
        trusted: Whether the structure tells a convention, and it applies to the weights:
            the network is not trained from scratch.
        scratch: Whether the network is trained from scratch, now or in an earlier fit.
        begins: Whether this fit begins to train it, from its initial weights.
        reading: What the model expects, according to its batch norm, or a sentence why
            that is not known.
        stated: Whether somebody stated what the model expects. The convention of `structure`
            is then this statement, and nothing else is asked.
    """

    observation: Observation
    summary: InputSummary
    structure: StructuralExpectation
    trusted: bool
    scratch: bool
    reading: Reading | str
    stated: bool = False
    begins: bool = False


@dataclass(frozen=True)
class Verdict:
    """The result for one input; the fields are those of `Diagnosis`."""

    status: str
    expected: InputConvention
    observed: InputConvention
    evidence: tuple[str, ...]
    trained_here: bool = False


def decide(case: Case) -> Verdict:
    """Returns the verdict of the first rule that applies."""
    guesses = (_trained_from_scratch, _from_both, _from_structure, _from_batch_norm)
    for rule in (_broken, *((_from_statement, _from_structure) if case.stated else guesses)):
        verdict = rule(case)
        if verdict is not None:
            return verdict
    needed = case.reading if isinstance(case.reading, str) else ""
    evidence = (*case.structure.evidence, needed, *case.observation.evidence)
    observed = ordered(case.observation.convention, case.structure.convention)
    expected = case.structure.convention if case.trusted else UNKNOWN
    return Verdict("unknown", expected, observed, tuple(s for s in evidence if s))


def _broken(case: Case) -> Verdict | None:
    """Decides on values that no model can use, or that were standardised image by image."""
    kind, evidence = case.observation.kind, case.observation.evidence
    expected = case.structure.convention if case.trusted else UNKNOWN
    if kind == "nonfinite":
        return Verdict("mismatch", expected, UNKNOWN, evidence)
    if kind == "constant":  # possibly black frames, or uint8 divided as integers
        return Verdict("unknown", expected, UNKNOWN, evidence)
    if kind == "per_image_standardised" and expected.is_known:
        return Verdict("mismatch", expected, UNKNOWN, (*evidence, *case.structure.evidence))
    return None


def _from_statement(case: Case) -> Verdict | None:
    """Decides on a stated convention without a name, whose values `observe` cannot recognise.

    The values are in it if they lie within 0..255 as pixels in that convention, and reach black
    or white.
    """
    expected, summary = case.structure.convention, case.summary
    if expected.mode != "custom" or case.observation.kind == "scaled_twice":
        return None
    form = Form(("stated",), "", np.asarray(expected.scale), np.asarray(expected.offset))
    if not form.holds(summary.minimum, summary.maximum):
        return None
    if case.observation.certainty < MIN_CERTAINTY or hits_an_end(form, summary):
        evidence = (*case.structure.evidence, *case.observation.evidence)
        return Verdict("ok", expected, expected, evidence)
    return None


def _trained_from_scratch(case: Case) -> Verdict | None:
    """Decides on a network that is trained from scratch, which can learn any convention."""
    if not case.scratch:
        return None
    name = case.structure.architecture or "The network"
    text = (
        f"{name} is trained from scratch here: it learns the convention that it is fed, so none "
        "is wrong. Use the same one when predicting."
    )
    observed = ordered(case.observation.convention, UNKNOWN)
    evidence = (text, *case.observation.evidence)
    if case.begins and observed.is_known:
        return Verdict("ok", observed, observed, evidence, trained_here=True)
    return Verdict("unknown", UNKNOWN, observed, evidence)


def _from_both(case: Case) -> Verdict | None:
    """Decides if the structure expects one convention, and batch norm clearly another."""
    if not case.trusted or isinstance(case.reading, str):
        return None
    reading, expected = case.reading, case.structure.convention
    agreeing = [
        i for i, h in enumerate(reading.hypotheses) if _is_about(h, expected) and not h.inverted
    ]
    if not agreeing:
        return None
    best = int(np.argmin(reading.scores.misfit))
    best_agreeing = min(agreeing, key=lambda i: reading.scores.misfit[i])
    gap, sigmas = reading.scores.gap(best_agreeing, best)
    decisive = (
        reading.num_images >= MIN_IMAGES
        and reading.scores.misfit[best] < MAX_GOOD_FIT
        and gap > MIN_MODE_GAP
        and sigmas > MIN_MODE_SIGMAS
    )
    if not decisive:
        return None  # `_from_structure` decides, and checks the channel order
    trained_on = as_convention(reading.hypotheses[best], "unknown")
    text = (
        f"The structure and the weights disagree: {case.structure.architecture or 'the network'} "
        f"is published for {expected}, but its batch norm fits images in "
        f"{trained_on} better: the misfit is {np.exp(gap):.1f} times smaller."
    )
    evidence = (text, *case.structure.evidence, *case.observation.evidence)
    if reading.hypotheses[best].is_identity:
        fed = as_convention(reading.hypotheses[best], "rgb")
        return Verdict("ok", fed, fed, (*evidence, "The weights were trained on what is fed."))
    observed = ordered(case.observation.convention, expected)
    return Verdict("unknown", expected, observed, evidence)


def _from_structure(case: Case) -> Verdict | None:
    """Decides if the structure tells what the model expects."""
    if not case.trusted:
        return None
    expected, observation = case.structure.convention, case.observation
    evidence = (*observation.evidence, *case.structure.evidence)
    if case.stated:
        evidence = (*case.structure.evidence, *observation.evidence)
    if case.structure.fresh:
        fresh = (
            f"That is what {case.structure.architecture or 'it'} is published for; its weights "
            "here look untrained, and untrained weights can learn any convention."
        )
        evidence = (fresh, *evidence)
    if not observation.convention.is_known:
        return None
    swap, order_evidence, order_is_certain = _order_for(case, expected)
    observed = as_observed(observation.convention, expected, swap)
    evidence = (*evidence, *order_evidence)
    if same_numbers(observed, expected):
        status = "ok" if not swap else "mismatch" if order_is_certain else "unknown"
        return Verdict(status, expected, observed, evidence)
    if observation.certainty >= MIN_CERTAINTY or _outside(case.summary, expected):
        return Verdict("mismatch", expected, observed, evidence)
    return Verdict("unknown", expected, observed, evidence)


def _from_batch_norm(case: Case) -> Verdict | None:
    """Decides by the moving statistics of batch norm what the model expects."""
    reading, observation = case.reading, case.observation
    if isinstance(reading, str):
        return None
    best, fed = reading.best, reading.as_fed
    choice = reading.choice
    fit = reading.scores.misfit
    rival = reading.rival(best)
    to_rival = reading.scores.gap(rival, best)
    to_fed = reading.scores.gap(fed, best)
    expected, observed = both_conventions(choice, observation.convention)
    misfits = [reading.misfit(i) for i in (best, fed, rival)]
    swapped = " with red and blue swapped" if choice.swap else ""
    evidence = (
        f"Over {reading.num_images} images the first batch-norm layers fit best if the model "
        f"is fed {as_convention(choice, 'unknown')}{swapped}: misfit {misfits[0]:.2f}, as fed "
        f"{misfits[1]:.2f}, next convention {misfits[2]:.2f}.",
        *observation.evidence,
    )
    enough = reading.num_images >= MIN_IMAGES
    same_mode = choice.kind == reading.hypotheses[fed].kind
    # A less certain observation, such as a fitted scale, counts as well if with it another mode
    # fits the moving statistics better by a wide gap.
    is_certain = observation.certainty >= MIN_CERTAINTY
    is_likely = observation.certainty >= MIN_CERTAINTY_WIDE_GAP
    if not same_mode and best != fed:
        is_mismatch = (
            enough
            and fit[best] < (MAX_INVERTED_FIT if choice.inverted else MAX_GOOD_FIT)
            and to_fed[0] > (MIN_INVERTED_GAP if choice.inverted else MIN_MODE_GAP)
            and to_fed[1] > MIN_MODE_SIGMAS
            and (is_certain or (is_likely and to_fed[0] > 2 * MIN_MODE_GAP))
        )
        if is_mismatch:
            return Verdict("mismatch", expected, observed, evidence)
    elif choice.swap:
        twins = choice.means != reading.hypotheses[fed].means
        is_mismatch = (
            enough
            and fit[best] < MAX_FAIR_FIT
            and (twins or to_fed[0] > MIN_SWAP_GAP)
            and reading.swap_sigmas > MIN_SWAP_SIGMAS
        )
        if is_mismatch:
            text = f"The channel order is {reading.swap_sigmas:.1f} standard errors off."
            return Verdict("mismatch", expected, observed, (text, *evidence))
        if enough and reading.swap_sigmas > MIN_LIKELY_SWAP_SIGMAS and fit[best] < MAX_FAIR_FIT:
            text = f"A swap of red and blue is likely ({reading.swap_sigmas:.1f} standard errors)."
            return Verdict("unknown", expected, observed, (text, *evidence))
    if best == fed or (same_mode and not choice.swap):
        return Verdict("ok", expected, observed, evidence)
    near = to_fed[0] < MIN_MODE_GAP or to_fed[1] < MIN_MODE_SIGMAS
    if near and fit[fed] < MAX_FAIR_FIT:
        expected, observed = both_conventions(reading.hypotheses[fed], observation.convention)
        return Verdict("ok", expected, observed, evidence)
    if enough and fit[best] < MAX_GOOD_FIT and to_rival[0] > MIN_MODE_GAP:
        return Verdict("unknown", expected, observed, evidence)
    return Verdict("unknown", UNKNOWN, ordered(observation.convention, UNKNOWN), evidence)


def _order_for(case: Case, expected: InputConvention) -> tuple[bool, tuple[str, ...], bool]:
    """Returns whether red and blue are swapped, the evidence, and whether it is certain."""
    observed = case.observation.convention
    if case.summary.num_channels != 3 or expected.channel_order not in ("rgb", "bgr"):
        return False, (), True
    reading = case.reading
    if isinstance(reading, Reading) and _is_about(reading.choice, expected):
        swap = reading.choice.swap
        other = next(
            i
            for i, h in enumerate(reading.hypotheses)
            if _is_about(h, expected) and h.swap != swap and not h.inverted
        )
        gap, _ = reading.scores.gap(other, reading.best)
        if (
            reading.num_images >= MIN_IMAGES
            and gap > MIN_SWAP_GAP
            and reading.swap_sigmas > MIN_SWAP_SIGMAS
        ):
            text = (
                f"Batch norm says that red and blue are {'swapped' if swap else 'in their places'} "
                f"({reading.swap_sigmas:.1f} standard errors over {reading.num_images} images)."
            )
            return swap, (text,), True
    order = observed.channel_order
    if order in ("rgb", "bgr"):
        text = f"The means were subtracted in {order.upper()} order."
        return order != expected.channel_order, (text,), True
    text = (
        "Whether red or blue comes first cannot be told from these images; RGB is assumed, "
        "as most readers give it (OpenCV gives BGR)."
    )
    return expected.channel_order == "bgr", (text,), False


def _is_about(hypothesis: Hypothesis, convention: InputConvention) -> bool:
    """Whether the hypothesis is that the model expects this convention."""
    return hypothesis.mode == convention.mode and (
        hypothesis.means is None or hypothesis.means == convention.channel_order
    )


def _outside(summary: InputSummary, expected: InputConvention) -> bool:
    """Whether more than 5 % of the values lie far below, or above, the expected range."""
    scale, offset = np.asarray(expected.scale), np.asarray(expected.offset)
    # The 5 % and 95 % quantiles as raw pixel values, by channel of the convention.
    raw = (np.asarray([[summary.quantile(0.05)], [summary.quantile(0.95)]]) - offset) / scale
    return bool(
        raw.min(axis=1)[0] < -MAX_OUTSIDE * 255 or raw.max(axis=1)[1] > (1 + MAX_OUTSIDE) * 255
    )
