"""Turns hypotheses into conventions with names, and into a suspicion.

The channel order of a convention comes from the structure of the model, or from
the order in which per-channel means were subtracted. If both are unknown, three
channels are assumed to be RGB, because most networks are trained on RGB. One channel is
"gray", and the order of any other number of channels is "unknown".
"""

from dataclasses import dataclass, replace

import numpy as np

from keras_shiftguard.conventions import MODES, MODES_WITH_ORDER
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import Hypothesis, Kind
from keras_shiftguard.preprocessing.witnesses.preference import LIKELY

REVERSED = {"rgb": "bgr", "bgr": "rgb"}
# Largest difference of equal conventions: relative for scales, a share of the range for offsets. A
# convention.
MAX_DIFFERENCE = 0.01


def as_convention(hypothesis: Hypothesis, order: str) -> InputConvention:
    """Returns the convention that the model expects if the hypothesis is right.

    Args:
        hypothesis: The hypothesis.
        order: Channel order. It is ignored for one channel, and for a named mode whose
            per-channel means determine the order.
    """
    if len(hypothesis.scale) == 1:
        order = "gray"
    if hypothesis.mode in MODES:
        return InputConvention(hypothesis.mode, hypothesis.means or order)
    scale, offset = hypothesis.scale, hypothesis.offset
    return InputConvention("custom", order, tuple(scale.tolist()), tuple(offset.tolist()))


def candidate_in_words(hypothesis: Hypothesis) -> str:
    """Returns a short name for charts, such as "tf ([-1, 1]), red and blue swapped"."""
    name = str(as_convention(hypothesis, "unknown"))
    name += " as fed" if hypothesis.mode == "as fed" else ""
    name += ", red and blue swapped" if hypothesis.swap else ""
    return name + (", inverted" if hypothesis.inverted else "")


def both_conventions(
    hypothesis: Hypothesis, observed: InputConvention
) -> tuple[InputConvention, InputConvention]:
    """Returns what the model expects and what it is fed if the hypothesis is right."""
    order = hypothesis.means or "rgb"
    if hypothesis.means is None and observed.channel_order in REVERSED:
        # The per-channel means that were subtracted show the channel order of the images,
        # and so the expected order.
        order = observed.channel_order
        order = REVERSED[order] if hypothesis.swap else order
    if len(hypothesis.scale) not in (1, 3):
        order = "unknown"
    expected = as_convention(hypothesis, order)
    fed = as_observed(observed, expected, hypothesis.swap)
    if hypothesis.inverted:
        scale, offset = np.asarray(fed.scale), np.asarray(fed.offset)
        fed = InputConvention(
            "custom",
            fed.channel_order,
            tuple((-scale).tolist()),
            tuple((offset + 255 * scale).tolist()),
        )
    return expected, fed


def is_about(hypothesis: Hypothesis, convention: InputConvention) -> bool:
    """Whether the hypothesis is that the model expects this convention."""
    return hypothesis.mode == convention.mode and (
        hypothesis.means is None or hypothesis.means == convention.channel_order
    )


def as_observed(
    observed: InputConvention, expected: InputConvention, swap: bool
) -> InputConvention:
    """Returns the observed convention with the channel order of the expected one.

    With `swap`, the order is reversed.
    """
    order = expected.channel_order
    order = REVERSED.get(order, order) if swap else order
    if observed.mode == "unknown" or observed.channel_order in (order, "gray"):
        return observed
    has_order = observed.mode in MODES_WITH_ORDER and observed.channel_order != "unknown"
    if observed.mode in MODES and not has_order:
        return InputConvention(observed.mode, order)
    # Scale and offset stay the same. The means of a named convention are then in one order, and the
    # pixels are in the other order. This combination has no name, so its mode is "custom".
    return replace(observed, mode="custom", channel_order=order)


def ordered(observed: InputConvention, expected: InputConvention) -> InputConvention:
    """Returns the observed convention, with the expected channel order if its own is unknown."""
    if observed.channel_order == "unknown" and expected.channel_order != "unknown":
        return as_observed(observed, expected, swap=False)
    return observed


def same_numbers(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether two conventions are equal except for the order of the channels."""
    _, gain, bias = affine_between(observed, expected)
    span = 255 * np.abs(np.asarray(expected.scale))
    return bool(
        np.allclose(gain, 1, rtol=0, atol=MAX_DIFFERENCE)
        and np.all(np.abs(bias) <= MAX_DIFFERENCE * span)
    )


@dataclass(frozen=True)
class Suspicion:
    """The convention that the model seems to expect.

    Args:
        expected: The convention.
        observed: The convention of the images as fed, if the suspicion is right.
        index: Index of the hypothesis in the batch-norm reading; 0 without a reading.
        is_inverted: Whether dark and bright are exchanged in the images as fed.
    """

    expected: InputConvention
    observed: InputConvention
    index: int = 0
    is_inverted: bool = False


def suspicion_of(
    reading: Reading, kind: Kind, fed: InputConvention, prior: InputConvention | None
) -> Suspicion:
    """Returns the conventions of the best hypothesis of a kind.

    `prior` is the published convention if it is of that kind, else None.
    """
    index = _index_of(reading, kind, prior)
    hypothesis = reading.hypotheses[index]
    if prior is not None and is_about(hypothesis, prior):
        return Suspicion(prior, as_observed(fed, prior, hypothesis.swap), index)
    expected, observed = both_conventions(hypothesis, fed)
    orders = {fed.channel_order, expected.channel_order}
    is_weak = abs(reading.swap_sigmas) < LIKELY
    if is_weak and hypothesis.means is None and orders <= {"rgb", "bgr"}:
        # Batch norm cannot tell the order, so the model is assumed to expect RGB. The images
        # are in the order in which their means were subtracted.
        expected, observed = as_convention(hypothesis, "rgb"), fed
    return Suspicion(expected, observed, index, hypothesis.inverted)


def _index_of(reading: Reading, kind: Kind, prior: InputConvention | None) -> int:
    """Returns the index of the hypothesis of a kind to assume.

    Of the published mode, it has the published order of the means. Else the order of the channels
    is that of `reading.best`, and the per-channel means are in their usual order (BGR for `caffe`,
    else RGB), because they differ too little to tell.
    """
    fed = reading.hypotheses[reading.as_fed]
    of_kind = [
        i
        for i, h in enumerate(reading.hypotheses)
        if h.has_fix and (h.kind == kind or (h.is_identity and kind == fed.kind))
    ]
    if prior is not None:
        of_kind = [i for i in of_kind if is_about(reading.hypotheses[i], prior)] or of_kind
    misfit = reading.scores.misfit
    best = reading.best if reading.best in of_kind else min(of_kind, key=lambda i: misfit[i])
    chosen = reading.hypotheses[best]
    as_fed = best == reading.as_fed and reading.swap_sigmas > LIKELY
    if prior is not None or chosen.has_usual_means or as_fed:
        return best
    others = [i for i in of_kind if reading.hypotheses[i].has_usual_means]
    return min(others, key=lambda i: misfit[i], default=best)
