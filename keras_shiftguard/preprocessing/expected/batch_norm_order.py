"""Channel order of the best hypothesis, according to batch norm: as fed, or reversed."""

from collections.abc import Mapping

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.expected.batch_norm_scores import Scores
from keras_shiftguard.preprocessing.expected.hypotheses import Hypothesis

# The first layers alone decide against a swap if it fits worse by this many standard errors.
MIN_SIGMAS_ALONE = 3.0


def settle_order(
    evidence: BatchNormEvidence,
    inputs: Mapping[str, np.ndarray],
    name: str,
    axis: int,
    hypotheses: list[Hypothesis],
    scores: Scores,
    known: InputConvention | None,
    as_fed: int,
) -> tuple[int, float]:
    """Returns the index of the best hypothesis, and its `Reading.swap_sigmas`."""
    best = int(np.argmin(scores.misfit[: len(hypotheses)]))
    chosen = hypotheses[best]
    partner = _partner(hypotheses, best, known)
    if partner is None:
        return best, 0.0
    twins = chosen.means is not None and hypotheses[partner].means != chosen.means
    _, sigmas = scores.gap(partner, best)
    # Twins differ in the order of both the pixels and the means. The first layers cannot
    # distinguish twins reliably, so only the deep layers decide between them.
    total = 0.0 if twins else sigmas
    if not twins and best == as_fed and sigmas > MIN_SIGMAS_ALONE:
        return best, total
    pair = [hypotheses[i].transform for i in (best, partner)]
    try:
        excitement = evidence.excitement(inputs, pair, name, axis)
    except Exception:  # a later layer may fail although the first ones ran
        excitement = None
    if excitement is not None:
        total += _paired_sigmas(excitement[0] - excitement[1])
    if total < 0:
        best, partner, total = partner, best, -total
    if total < 1 and twins:
        best = _default_twin(hypotheses, (best, partner), as_fed)
    return best, total


def _partner(hypotheses: list[Hypothesis], index: int, known: InputConvention | None) -> int | None:
    """Returns the index of the same hypothesis in the other pixel order; None if there is none.

    The per-channel means of the returned hypothesis are reversed as well if the model's structure
    does not determine their order.
    """
    given = hypotheses[index]
    if given.means is None or known is not None:
        means = given.means
    else:
        means = "bgr" if given.means == "rgb" else "rgb"
    for i, other in enumerate(hypotheses):
        same = (other.mode, other.means, other.inverted) == (given.mode, means, given.inverted)
        if same and other.swap != given.swap:
            return i
    return None


def _default_twin(hypotheses: list[Hypothesis], pair: tuple[int, int], as_fed: int) -> int:
    """Returns the index of the twin (see `settle_order`) to assume if both fit equally well.

    If one twin leaves the images as fed, that twin is assumed. Otherwise it is the twin whose means
    are in the usual order of the mode.
    """
    if as_fed in pair:
        return as_fed
    order = "bgr" if hypotheses[pair[0]].mode == "caffe" else "rgb"
    return pair[0] if hypotheses[pair[0]].means == order else pair[1]


def _paired_sigmas(difference: np.ndarray) -> float:
    """Returns the mean of `difference` in standard errors; 0 for one image or tiny numbers.

    Args:
        difference: One number for each image, `(images,)`.
    """
    n = len(difference)
    if n < 2 or np.max(np.abs(difference)) < 1e-3:
        return 0.0
    return float(difference.mean() / (difference.std(ddof=1) / np.sqrt(n) + 1e-9))
