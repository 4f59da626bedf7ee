"""From hypotheses to conventions with names.

Absolute channel orders are named after what is known of them: the structure of
the model, the order in which per-channel means were subtracted, or else what
networks are in practice trained on, which is RGB.
"""

from dataclasses import replace

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention, affine_between
from keras_shiftguard.preprocessing.expected.hypotheses import Hypothesis

OTHER = {"rgb": "bgr", "bgr": "rgb"}
SAME = 0.01  # relative difference, in scale and in the range of the values


def as_convention(hypothesis: Hypothesis, order: str) -> InputConvention:
    """What the hypothesis says that the model expects."""
    if len(hypothesis.scale) == 1:
        order = "gray"
    if hypothesis.mode in MODES:
        return InputConvention(hypothesis.mode, hypothesis.means or order)
    scale, offset = hypothesis.scale, hypothesis.offset
    return InputConvention("custom", order, tuple(scale.tolist()), tuple(offset.tolist()))


def candidate_in_words(hypothesis: Hypothesis) -> str:
    """A short name for a chart: the convention, and what else would be needed."""
    name = str(as_convention(hypothesis, "unknown"))
    name += " as fed" if hypothesis.mode == "as fed" else ""
    name += ", red and blue swapped" if hypothesis.swap else ""
    return name + (", inverted" if hypothesis.inverted else "")


def both_conventions(
    hypothesis: Hypothesis, observed: InputConvention
) -> tuple[InputConvention, InputConvention]:
    """What is expected and what was fed, if the hypothesis is right."""
    order = hypothesis.means or "rgb"
    if hypothesis.means is None and observed.channel_order in OTHER:
        # The feed names its order by its means; what is expected follows.
        order = observed.channel_order
        order = OTHER[order] if hypothesis.swap else order
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


def as_observed(
    observed: InputConvention, expected: InputConvention, swap: bool
) -> InputConvention:
    """The observed convention, its channel order relative to the expected one."""
    order = expected.channel_order
    order = OTHER.get(order, order) if swap else order
    if observed.mode == "unknown" or observed.channel_order in (order, "gray"):
        return observed
    if observed.mode in MODES and observed.channel_order == "unknown":
        return InputConvention(observed.mode, order)
    # The means say one order, the pixels another: no convention with a name.
    return replace(observed, mode="custom", channel_order=order)


def ordered(observed: InputConvention, expected: InputConvention) -> InputConvention:
    """The observed convention where nothing is claimed about a swap."""
    if observed.channel_order == "unknown" and expected.channel_order != "unknown":
        return as_observed(observed, expected, swap=False)
    return observed


def same_numbers(observed: InputConvention, expected: InputConvention) -> bool:
    """Whether the two differ in the order of the channels at most."""
    _, gain, bias = affine_between(observed, expected)
    span = 255 * np.abs(np.asarray(expected.scale))
    return bool(np.allclose(gain, 1, rtol=0, atol=SAME) and np.all(np.abs(bias) <= SAME * span))
