"""What the batch norm of a model says about the images that it is fed.

Every hypothesis is a convention that the model may expect, in the form of what
would have to be done to the images as fed. Three-channel images have two
orders in each: that of the pixels and that of the per-channel means. Only
whether the pixels need a swap can be measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.instrument.layer_calls import NotReachedError
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import (
    BatchNormEvidence,
    Scores,
)
from keras_shiftguard.preprocessing.expected.hypotheses import Hypothesis, hypotheses_for
from keras_shiftguard.profiles import InputSummary

MOST_IMAGES = 16
MOST_VALUES = MOST_IMAGES * 320 * 320 * 3  # fewer images where they are larger
PLAIN = 3.0  # standard errors from which the deep layers need not be asked
FEW = 4  # images below which nothing is claimed
BARELY_TRAINED = 0.75  # share of the way at which a memory counts; 64 digits tell it to 0.1


@dataclass(frozen=True)
class Reading:
    """The misfits of all hypotheses, and what follows from them.

    Args:
        hypotheses: All that were followed.
        scores: Their misfits.
        as_fed: Index of the hypothesis that nothing has to be done.
        best: Index of the one that fits best, its channel order settled.
        swap_sigmas: How sure the pixel order of `best` is against the other
            one, in standard errors; 0 where nothing tells.
        num_images: Number of images that were followed.
        dropped: Hypotheses that a first look at half of the images and two
            layers ruled out, each with its misfit there.
    """

    hypotheses: tuple[Hypothesis, ...]
    scores: Scores
    as_fed: int
    best: int
    swap_sigmas: float
    num_images: int
    dropped: tuple[tuple[Hypothesis, float], ...] = ()

    @property
    def choice(self) -> Hypothesis:
        return self.hypotheses[self.best]

    def misfit(self, index: int) -> float:
        """Mean over channels of sqrt(KL) for one hypothesis."""
        return float(np.exp(self.scores.misfit[index]))

    def rival(self, index: int) -> int:
        """The best of those that are not of the same mode as `index`."""
        mine = self.hypotheses[index]
        others = [
            i
            for i, h in enumerate(self.hypotheses)
            if h.kind != mine.kind and not (h.is_identity and mine.is_identity)
        ]
        return min(others, key=lambda i: self.scores.misfit[i])


def read_batch_norm(
    evidence: BatchNormEvidence,
    inputs: Mapping[str, np.ndarray],
    name: str,
    observed: InputConvention,
    summary: InputSummary,
    known: InputConvention | None = None,
) -> Reading | str:
    """Compares all hypotheses with the moving statistics.

    Args:
        evidence: The model's batch norm.
        inputs: Images as fed, by input name.
        name: The image input in question.
        observed: What it was fed, as far as the feed tells.
        summary: The profile of that input.
        known: What the structure of the model says that it expects.

    Returns:
        A `Reading`, or the sentence that says why there is none.
    """
    if not evidence.available:
        return evidence.reason
    if not observed.is_known:
        return "What is fed is not clear enough to try other conventions on it."
    axis = 1 if summary.layout == "channels_first" else -1
    images = inputs[name]
    most = min(MOST_IMAGES, max(FEW, MOST_VALUES // int(np.prod(images.shape[1:]))))
    if images.shape[1] * images.shape[2] <= 64 * 64:
        most = 4 * MOST_IMAGES  # small images are cheap, and hold little each
    chosen = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(int))
    some = {key: np.asarray(value)[chosen] for key, value in inputs.items()}
    some[name] = _finite(some[name])
    hypotheses = hypotheses_for(observed, summary, known)
    try:
        hypotheses, dropped = _shortlist(evidence, some, name, axis, hypotheses, known)
        scores = evidence.score(some, [h.transform for h in hypotheses], name, axis)
    except NotReachedError as error:
        return f"Batch norm could not be compared: {error}."
    except Exception as error:  # whatever a user's own `call` may raise
        return f"Batch norm could not be compared: {type(error).__name__}: {error}"
    as_fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    progress = scores.progress(as_fed)
    if progress is not None and progress < BARELY_TRAINED:
        return (
            f"Batch norm has come only {100 * progress:.0f} % of the way from untrained to what "
            "it is fed now, so it remembers no other convention yet."
        )
    best, sigmas = _settle_order(evidence, some, name, axis, hypotheses, scores, known, as_fed)
    return Reading(tuple(hypotheses), scores, as_fed, best, sigmas, len(chosen), dropped)


def _shortlist(
    evidence: BatchNormEvidence,
    inputs: Mapping[str, np.ndarray],
    name: str,
    axis: int,
    hypotheses: list[Hypothesis],
    known: InputConvention | None,
) -> tuple[list[Hypothesis], tuple[tuple[Hypothesis, float], ...]]:
    """The two best modes, and what was fed: a first look at half of the images.

    Returns those, and what was dropped with its misfit.
    """
    few = {key: value[::2] for key, value in inputs.items()}
    # A swap moves the misfit less than a wrong mode does: it can wait.
    first = [h for h in hypotheses if not h.swap]
    misfit = evidence.score(few, [h.transform for h in first], name, axis, depth=2).misfit
    ranked: list[tuple[str, bool]] = []
    for i in np.argsort(misfit):
        if first[i].kind not in ranked:
            ranked.append(first[i].kind)
    keep = set(ranked[:2])
    if known is not None:
        keep.add((known.mode, False))
    kept = [h for h in hypotheses if h.kind in keep or h.is_identity]
    dropped = tuple(
        (h, float(np.exp(fit))) for h, fit in zip(first, misfit, strict=True) if h not in kept
    )
    return kept, dropped


def _settle_order(
    evidence: BatchNormEvidence,
    inputs: Mapping[str, np.ndarray],
    name: str,
    axis: int,
    hypotheses: list[Hypothesis],
    scores: Scores,
    known: InputConvention | None,
    as_fed: int,
) -> tuple[int, float]:
    """The best hypothesis, and how sure its pixel order is."""
    best = int(np.argmin(scores.misfit))
    chosen = hypotheses[best]
    partner = _partner(hypotheses, best, known)
    if partner is None:
        return best, 0.0
    twins = chosen.means is not None and hypotheses[partner].means != chosen.means
    _, sigmas = scores.gap(partner, best)
    # Between twins the means move with the pixels: the first layers see too
    # little of the order, so they have no say.
    total = 0.0 if twins else sigmas
    if not twins and best == as_fed and sigmas > PLAIN:
        return best, total
    pair = [hypotheses[i].transform for i in (best, partner)]
    try:
        excitement = evidence.excitement(inputs, pair, name, axis)
    except Exception:  # the first layers ran; a later one may not
        excitement = None
    if excitement is not None:
        total += _paired_sigmas(excitement[0] - excitement[1])
    if total < 0:
        best, partner, total = partner, best, -total
    if total < 1 and twins:
        best = _customary(hypotheses, (best, partner), as_fed)
    return best, total


def _partner(hypotheses: list[Hypothesis], index: int, known: InputConvention | None) -> int | None:
    """The same convention with the pixels the other way round."""
    mine = hypotheses[index]
    if mine.means is None or known is not None:
        means = mine.means
    else:
        means = "bgr" if mine.means == "rgb" else "rgb"
    for i, other in enumerate(hypotheses):
        same = (other.mode, other.means, other.inverted) == (mine.mode, means, mine.inverted)
        if same and other.swap != mine.swap:
            return i
    return None


def _customary(hypotheses: list[Hypothesis], pair: tuple[int, int], as_fed: int) -> int:
    """Without evidence: as fed, else as networks of that mode are trained."""
    if as_fed in pair:
        return as_fed
    order = "bgr" if hypotheses[pair[0]].mode == "caffe" else "rgb"
    return pair[0] if hypotheses[pair[0]].means == order else pair[1]


def _paired_sigmas(difference: np.ndarray) -> float:
    """Mean over its standard error, of one number for each image."""
    n = len(difference)
    if n < 2 or np.max(np.abs(difference)) < 1e-3:
        return 0.0
    return float(difference.mean() / (difference.std(ddof=1) / np.sqrt(n) + 1e-9))


def _finite(images: np.ndarray) -> np.ndarray:
    x = np.asarray(images)
    return x if x.dtype.kind in "ui" else np.nan_to_num(x.astype("float32"), posinf=0, neginf=0)
