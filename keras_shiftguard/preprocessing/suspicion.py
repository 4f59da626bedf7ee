"""`Suspicion`: the convention that a network with some kind of hypothesis expects."""

from dataclasses import dataclass

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import MIN_MODE_GAP, Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import (
    as_convention,
    as_observed,
    both_conventions,
    is_about,
)
from keras_shiftguard.preprocessing.posterior import Kind
from keras_shiftguard.preprocessing.witnesses.trial import LIKELY, SURE


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


def suspicion_of(case: Case, reading: Reading, kind: Kind) -> Suspicion:
    """Returns the conventions of the best hypothesis of a kind."""
    fed, prior = case.observation.convention, None
    if case.trusted and not kind[1] and kind[0] == case.structure.convention.mode:
        prior = case.structure.convention
    index = _index_of(reading, kind, prior)
    hypothesis = reading.hypotheses[index]
    if prior is not None and is_about(hypothesis, prior):
        expected, observed = prior, as_observed(fed, prior, hypothesis.swap)
    else:
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
    else RGB) unless another order fits clearly better: they differ too little to tell.
    """
    fed = reading.hypotheses[reading.as_fed]
    of_kind = [
        i
        for i, h in enumerate(reading.hypotheses)
        if h.kind == kind or (h.is_identity and kind == fed.kind)
    ]
    if prior is not None:
        of_kind = [i for i in of_kind if is_about(reading.hypotheses[i], prior)] or of_kind
    misfit = reading.scores.misfit
    best = reading.best if reading.best in of_kind else min(of_kind, key=lambda i: misfit[i])
    chosen = reading.hypotheses[best]
    usual = "bgr" if chosen.mode == "caffe" else "rgb"
    as_fed = best == reading.as_fed and reading.swap_sigmas > LIKELY
    if prior is not None or chosen.means in (None, usual) or as_fed:
        return best
    others = [i for i in of_kind if reading.hypotheses[i].means == usual]
    other = min(others, key=lambda i: misfit[i], default=best)
    gap, sigmas = reading.scores.gap(other, best)
    return best if gap > MIN_MODE_GAP and sigmas > SURE else other
