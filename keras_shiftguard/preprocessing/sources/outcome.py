"""The two verdicts on a scale that is known: right, or another one; each with its order."""

from keras_shiftguard.preprocessing.case import Case, Verdict
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import Suspicion, as_observed
from keras_shiftguard.preprocessing.order import order_of


def verdict_of_right(case: Case, expected: InputConvention, evidence: tuple[str, ...]) -> Verdict:
    """Decides on images in the expected mode; only their channel order may be wrong."""
    order = order_of(case, expected)
    swap = order.status != "ok"
    return Verdict(
        order.status,
        expected,
        as_observed(case.observation.convention, expected, swap),
        (*order.evidence, *evidence) if swap else (*evidence, *order.evidence),
        swap_is_possible=order.is_possible and order.status != "mismatch",
        is_proven=order.is_proven,
    )


def verdict_of_mismatch(
    case: Case, suspicion: Suspicion, evidence: tuple[str, ...], is_proven: bool
) -> Verdict:
    """Returns the verdict on images in another mode, with the order that the fix assumes."""
    expected, observed = suspicion.expected, suspicion.observed
    order = order_of(case, expected, in_fix=True)
    if order.is_unusual and isinstance(case.reading, Reading):
        expected = _with_means_that_fit(case.reading, expected)
    if not suspicion.is_inverted:
        observed = as_observed(case.observation.convention, expected, order.assumed)
    return Verdict(
        "mismatch",
        expected,
        observed,
        (*evidence, *order.evidence),
        swap_is_possible=order.is_possible and not order.assumed,
        order_is_usual=order.assumed and order.is_usual,
        is_proven=is_proven and order.is_sure,
    )


def _with_means_that_fit(reading: Reading, expected: InputConvention) -> InputConvention:
    """Returns the convention with its means in the order that fits the channels as fed.

    Without it, a network that takes images minus the means in RGB order is said to expect BGR.
    """
    misfit = {
        h.means: reading.scores.misfit[i]
        for i, h in enumerate(reading.hypotheses)
        if h.mode == expected.mode and h.means is not None and not h.swap
    }
    order = min(misfit, key=lambda means: misfit[means], default=expected.channel_order)
    return InputConvention(expected.mode, order)
