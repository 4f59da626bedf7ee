"""The rules of the verdict, in the order in which they are tried.

"mismatch" needs everything to be plain: a wrong accusation costs more trust than a
missed one.
"""

from dataclasses import dataclass

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import FEW, Reading
from keras_shiftguard.preprocessing.expected.hypotheses import Hypothesis
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_convention,
    as_observed,
    both_conventions,
    ordered,
    same_numbers,
)
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.observation import Observation
from keras_shiftguard.profiles import InputSummary

UNKNOWN = InputConvention("unknown", "unknown")

# Chosen on photos and draws other than those of the benchmarks; what they do
# there is in examples/benchmarks/preprocessing.py.
SURE_FEED = 0.9  # certainty of the observation from which it may accuse
LIKELY_FEED = 0.5  # and from which it may with a second, wider gap
GOOD_FIT = np.log(0.26)  # of the best hypothesis; blur and haze do not get there
# Other subjects may look inverted, so an inversion must fit well and nothing else.
INVERTED_FIT, INVERTED_GAP = np.log(0.2), 2.0
FAIR_FIT = np.log(0.35)  # up to here, "as fed" fits as images of the training do
MODE_GAP, MODE_SIGMAS = 0.3, 3.0  # how much better another mode must fit
SWAP_GAP, SWAP_SIGMAS = 0.08, 4.0  # and the same mode with swapped channels
LEANING = 2.0  # standard errors from which a likely swap is named, but not claimed
OUTSIDE = 0.1  # share of 0..255 by which values may leave it, in augmentation


@dataclass(frozen=True)
class Case:
    """All that is known about one input."""

    observation: Observation
    summary: InputSummary
    structure: StructuralExpectation
    trusted: bool  # whether the structure says what these weights expect
    scratch: bool  # whether the network is trained from scratch
    reading: Reading | str


@dataclass(frozen=True)
class Verdict:
    """What the rules make of one input."""

    status: str
    expected: InputConvention
    observed: InputConvention
    evidence: tuple[str, ...]


def decide(case: Case) -> Verdict:
    """The verdict of the first rule that has one."""
    for rule in (_broken, _trained_from_scratch, _from_both, _from_structure, _from_batch_norm):
        verdict = rule(case)
        if verdict is not None:
            return verdict
    needed = case.reading if isinstance(case.reading, str) else ""
    said = (*case.structure.evidence, needed, *case.observation.evidence)
    observed = ordered(case.observation.convention, case.structure.convention)
    expected = case.structure.convention if case.trusted else UNKNOWN
    return Verdict("unknown", expected, observed, tuple(s for s in said if s))


def _broken(case: Case) -> Verdict | None:
    """What no model wants, or what this one cannot want."""
    kind, said = case.observation.kind, case.observation.evidence
    expected = case.structure.convention if case.trusted else UNKNOWN
    if kind == "nonfinite":
        return Verdict("mismatch", expected, UNKNOWN, said)
    if kind == "constant":  # black frames, or uint8 divided as integers: who knows
        return Verdict("unknown", expected, UNKNOWN, said)
    if kind == "per_image_standardised" and expected.is_known:
        return Verdict("mismatch", expected, UNKNOWN, (*said, *case.structure.evidence))
    return None


def _trained_from_scratch(case: Case) -> Verdict | None:
    if not case.scratch:
        return None
    name = case.structure.architecture or "The network"
    text = (
        f"{name} is trained from scratch here: it learns whatever convention it is fed, so none "
        "is wrong. Keep to it when predicting."
    )
    observed = ordered(case.observation.convention, UNKNOWN)
    return Verdict("unknown", UNKNOWN, observed, (text, *case.observation.evidence))


def _from_both(case: Case) -> Verdict | None:
    """The structure names the convention, and batch norm has a say as well."""
    if not case.trusted or isinstance(case.reading, str):
        return None
    reading, expected = case.reading, case.structure.convention
    agreeing = [i for i, h in enumerate(reading.hypotheses) if _is(h, expected) and not h.inverted]
    if not agreeing:
        return None
    best = int(np.argmin(reading.scores.misfit))
    ours = min(agreeing, key=lambda i: reading.scores.misfit[i])
    gap, sigmas = reading.scores.gap(ours, best)
    decisive = (
        reading.num_images >= FEW
        and reading.scores.misfit[best] < GOOD_FIT
        and gap > MODE_GAP
        and sigmas > MODE_SIGMAS
    )
    if not decisive:
        return None  # the structure speaks for itself; the order comes later
    remembered = as_convention(reading.hypotheses[best], "unknown")
    text = (
        f"The structure and the weights disagree: {case.structure.architecture or 'the network'} "
        f"is published for {expected}, but its batch norm remembers images in "
        f"{remembered}: misfit {np.exp(gap):.1f} times less."
    )
    said = (text, *case.structure.evidence, *case.observation.evidence)
    if reading.hypotheses[best].is_identity:
        fed = as_convention(reading.hypotheses[best], "rgb")
        return Verdict("ok", fed, fed, (*said, "What is fed is what the weights remember."))
    observed = ordered(case.observation.convention, expected)
    return Verdict("unknown", expected, observed, said)


def _from_structure(case: Case) -> Verdict | None:
    if not case.trusted:
        return None
    expected, observation = case.structure.convention, case.observation
    said = (*observation.evidence, *case.structure.evidence)
    if case.structure.fresh:
        fresh = (
            f"That is what {case.structure.architecture or 'it'} is published for; its weights "
            "here look untrained, and untrained weights can learn any convention."
        )
        said = (fresh, *said)
    if not observation.convention.is_known:
        return None
    swap, order_said, order_sure = _order_for(case, expected)
    observed = as_observed(observation.convention, expected, swap)
    said = (*said, *order_said)
    if same_numbers(observed, expected):
        status = "ok" if not swap else "mismatch" if order_sure else "unknown"
        return Verdict(status, expected, observed, said)
    if observation.certainty >= SURE_FEED or _outside(case.summary, expected):
        return Verdict("mismatch", expected, observed, said)
    return Verdict("unknown", expected, observed, said)


def _from_batch_norm(case: Case) -> Verdict | None:
    """Nothing but the moving statistics tells what is expected."""
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
    said = (
        f"Over {reading.num_images} images the first batch-norm layers fit best if the model "
        f"is fed {as_convention(choice, 'unknown')}{swapped}: misfit {misfits[0]:.2f}, as fed "
        f"{misfits[1]:.2f}, next convention {misfits[2]:.2f}.",
        *observation.evidence,
    )
    enough = reading.num_images >= FEW
    same_mode = choice.kind == reading.hypotheses[fed].kind
    # A fitted scale that makes the images fit the memory is confirmed by that.
    sure_feed = observation.certainty >= SURE_FEED
    likely_feed = observation.certainty >= LIKELY_FEED
    if not same_mode and best != fed:
        plain = (
            enough
            and fit[best] < (INVERTED_FIT if choice.inverted else GOOD_FIT)
            and to_fed[0] > (INVERTED_GAP if choice.inverted else MODE_GAP)
            and to_fed[1] > MODE_SIGMAS
            and (sure_feed or (likely_feed and to_fed[0] > 2 * MODE_GAP))
        )
        if plain:
            return Verdict("mismatch", expected, observed, said)
    elif choice.swap:
        twins = choice.means != reading.hypotheses[fed].means
        plain = (
            enough
            and fit[best] < FAIR_FIT
            and (twins or to_fed[0] > SWAP_GAP)
            and reading.swap_sigmas > SWAP_SIGMAS
        )
        if plain:
            sure = f"The channel order is {reading.swap_sigmas:.1f} standard errors off."
            return Verdict("mismatch", expected, observed, (sure, *said))
        if enough and reading.swap_sigmas > LEANING and fit[best] < FAIR_FIT:
            sure = f"A swap of red and blue is likely ({reading.swap_sigmas:.1f} standard errors)."
            return Verdict("unknown", expected, observed, (sure, *said))
    if best == fed or (same_mode and not choice.swap):
        return Verdict("ok", expected, observed, said)
    near = to_fed[0] < MODE_GAP or to_fed[1] < MODE_SIGMAS
    if near and fit[fed] < FAIR_FIT:
        expected, observed = both_conventions(reading.hypotheses[fed], observation.convention)
        return Verdict("ok", expected, observed, said)
    if enough and fit[best] < GOOD_FIT and to_rival[0] > MODE_GAP:
        return Verdict("unknown", expected, observed, said)
    return Verdict("unknown", UNKNOWN, ordered(observation.convention, UNKNOWN), said)


def _order_for(case: Case, expected: InputConvention) -> tuple[bool, tuple[str, ...], bool]:
    """Whether the pixels need a swap, in words, and whether that is sure."""
    observed = case.observation.convention
    if case.summary.num_channels != 3 or expected.channel_order not in ("rgb", "bgr"):
        return False, (), True
    reading = case.reading
    if isinstance(reading, Reading) and _is(reading.choice, expected):
        swap = reading.choice.swap
        other = next(
            i
            for i, h in enumerate(reading.hypotheses)
            if _is(h, expected) and h.swap != swap and not h.inverted
        )
        gap, _ = reading.scores.gap(other, reading.best)
        if reading.num_images >= FEW and gap > SWAP_GAP and reading.swap_sigmas > SWAP_SIGMAS:
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


def _is(hypothesis: Hypothesis, convention: InputConvention) -> bool:
    return hypothesis.mode == convention.mode and (
        hypothesis.means is None or hypothesis.means == convention.channel_order
    )


def _outside(summary: InputSummary, expected: InputConvention) -> bool:
    """Whether many values lie where the expected convention has none."""
    scale, offset = np.asarray(expected.scale), np.asarray(expected.offset)
    raw = (np.asarray([[summary.quantile(0.05)], [summary.quantile(0.95)]]) - offset) / scale
    return bool(raw.min(axis=1)[0] < -OUTSIDE * 255 or raw.max(axis=1)[1] > (1 + OUTSIDE) * 255)
