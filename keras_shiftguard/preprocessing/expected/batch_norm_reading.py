"""Batch-norm reading: the convention of the images that fits a model's batch norm best.

A hypothesis is a convention that the model may expect, together with the map from the images as fed
to this convention. With three channels, a hypothesis has two channel orders: the order of the
pixels, and the order of the per-channel means. The true order of the pixels cannot be measured.
What can be measured is whether the channels of the images as fed must be reversed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from keras_shiftguard.instrument.layer_calls import NotReachedError
from keras_shiftguard.instrument.model_outputs import cause_of
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import (
    AS_FED,
    BatchNormEvidence,
    Scores,
    Transform,
)
from keras_shiftguard.preprocessing.expected.hypotheses import (
    Hypothesis,
    Kind,
    hypotheses_for,
)
from keras_shiftguard.preprocessing.limits import FIRST_IMAGES, MIN_IMAGES, MIN_TRIAL_IMAGES, SMALL
from keras_shiftguard.preprocessing.witnesses.levels import Levels
from keras_shiftguard.profiles import InputSummary

MIN_MODE_GAP = 0.3  # by which a clearly better mode fits better, in log misfit. A convention.
# What has no fix and fits worse than the best hypothesis by this, in log misfit, on some images, is
# ruled out. A convention: on four networks of examples/benchmarks/verdict_corpus.py no verdict
# differs from comparing it on all images, on the one for emotions 2 of 60 do.
MAX_ROUGH_GAP = 0.7
MAX_VALUES = 16 * 320 * 320 * 3  # largest number of values in all compared images. A convention.


@dataclass(frozen=True)
class Reading:
    """The misfits of all hypotheses, and the best hypothesis.

    Args:
        hypotheses: The hypotheses that were compared on all images and layers; those without a fix
            come last.
        scores: Misfits of the hypotheses.
        as_fed: Index of the hypothesis that leaves the images as fed.
        best: Index of the chosen hypothesis: of those with a fix, the one with the lowest misfit.
        swap_sigmas: How much better the pixel order of `best` fits than the reversed order, in
            standard errors; 0 if the difference cannot be measured.
        num_images: Number of images that were used.
        dropped: Hypotheses that were ruled out early, each with its misfit on a part of the
            images and two layers.
        is_levelled: Whether the images were given the levels of ordinary photos.
        other: The reading of pale, dark, hazy or tinted images without (or with) the levels of
            ordinary photos, which fits worse; None for other images.
        repaired: Log misfits of the images that a suspected garbling gives if it is undone, for
            bootstrap draws, `(draws,)`; None without a suspicion.
    """

    hypotheses: tuple[Hypothesis, ...]
    scores: Scores
    as_fed: int
    best: int
    swap_sigmas: float
    num_images: int
    dropped: tuple[tuple[Hypothesis, float], ...] = ()
    is_levelled: bool = False
    other: "Reading | None" = None
    repaired: np.ndarray | None = None

    @property
    def choice(self) -> Hypothesis:
        """The best hypothesis."""
        return self.hypotheses[self.best]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of each hypothesis. Several may leave the images as fed; they count as one."""
        fed = self.hypotheses[self.as_fed].kind
        return tuple(fed if h.is_identity else h.kind for h in self.hypotheses)

    def misfit(self, index: int) -> float:
        """Returns the mean over channels of sqrt(KL) for one hypothesis."""
        return float(np.exp(self.scores.misfit[index]))


def read_batch_norm(
    evidence: BatchNormEvidence,
    inputs: Mapping[str, np.ndarray],
    name: str,
    observed: InputConvention,
    summary: InputSummary,
    known: InputConvention | None = None,
    levels: Levels | None = None,
    repaired: np.ndarray | None = None,
) -> Reading | str:
    """Compares all hypotheses with the moving statistics of a model.

    Moving statistics after few steps are read as they are, and without their initial values. A
    collection that is pale, dark, hazy or tinted is compared as it is, and with the levels of
    ordinary photos: what the training images were like is not known. The reading that fits better
    holds the other one.

    Args:
        evidence: The model's batch norm.
        inputs: Images as fed, by input name.
        name: Name of the image input in question.
        observed: The convention of the images as fed.
        summary: The profile of that input.
        known: What the model expects according to its structure; None if
            unknown.
        levels: What gives the images the levels of ordinary photos; None if they have them.
        repaired: The first images with a suspected garbling undone; None without a suspicion.

    Returns:
        A `Reading`, or a sentence that says why there is none.
    """
    if not evidence.available:
        return evidence.reason
    if not observed.is_known:
        return "The convention of what is fed is unknown, so others cannot be tried on it."
    axis = 1 if summary.layout == "channels_first" else -1
    score = partial(evidence.score, name=name, axis=axis)
    some = _compared_images(inputs, name)
    every = hypotheses_for(observed, summary, known)

    reading = _read(score, some, every, observed, known)
    if evidence.begun is not None:
        score_begun = partial(evidence.begun.score, name=name, axis=axis)
        begun = _read(score_begun, some, every, observed, known)
        if _is_better(begun, reading):
            score, reading = score_begun, begun
    if isinstance(reading, str):
        return reading
    if repaired is not None:
        images = {key: np.asarray(value)[: len(repaired)] for key, value in inputs.items()}
        of_repaired = score(_compared_images({**images, name: repaired}, name), [AS_FED])
        reading = replace(reading, repaired=of_repaired.resampled[:, 0])
    if levels is None:
        return reading
    some[name] = AS_FED.after(*levels).apply(some[name], axis)
    levelled = _read(score, some, every, observed, known)
    if isinstance(levelled, str):
        return reading
    both = replace(levelled, is_levelled=True), reading
    better, other = sorted(both, key=lambda each: each.misfit(each.best))
    return replace(better, other=other)


def _is_better(reading: Reading | str, other: Reading | str) -> bool:
    """Whether a reading fits better than another one, or is the only one."""
    if isinstance(reading, str) or isinstance(other, str):
        return isinstance(other, str)
    return reading.misfit(reading.best) < other.misfit(other.best)


def _compared_images(inputs: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Returns the samples that are compared with batch norm.

    Non-finite values of the image input `name` are replaced by 0.
    """
    images = inputs[name]
    limit = int(np.clip(MAX_VALUES // images[0].size, MIN_IMAGES, FIRST_IMAGES))
    if images.shape[1] * images.shape[2] <= SMALL * SMALL:
        limit = 4 * FIRST_IMAGES  # they are quick to run, and each holds little information
    chosen = np.unique(np.linspace(0, len(images) - 1, min(limit, len(images))).astype(int))
    some = {key: np.asarray(value)[chosen] for key, value in inputs.items()}
    if some[name].dtype.kind not in "ui":
        some[name] = np.nan_to_num(some[name].astype("float32"), posinf=0, neginf=0)
    return some


def _read(
    score: Callable[..., Scores],
    some: dict[str, np.ndarray],
    every: list[Hypothesis],
    observed: InputConvention,
    known: InputConvention | None,
) -> Reading | str:
    """Compares hypotheses on some images as they are; see `read_batch_norm`.

    A swap changes the misfit less than most wrong modes do. So only the modes that fit about as
    well as the best one, and the known one, are compared with swapped channels.
    """
    runs: dict[Transform, dict[int, Any]] = {}
    try:
        unswapped, dropped = _shortlist(score, some, [h for h in every if not h.swap], known)
        misfit = score(some, [h.transform for h in unswapped], runs=runs).misfit
        near = misfit < misfit.min() + MIN_MODE_GAP
        modes = {unswapped[i].mode for i in np.flatnonzero(near)}
        modes |= set() if known is None else {known.mode}
        hypotheses = [h for h in every if h in unswapped or (h.swap and h.mode in modes)]
        scores = score(some, [h.transform for h in hypotheses], runs=runs)
    except NotReachedError as error:
        return f"Batch norm could not be compared: {error}."
    except Exception as error:  # the user's own `call` may raise anything
        return f"Batch norm could not be compared: {type(error).__name__}: {cause_of(error)}"
    if np.ptp(scores.misfit) < 1e-6:  # as in a network that reads another input first
        return "The first batch-norm layers do not depend on this input."
    as_fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
    best, sigmas = settle_order(hypotheses, scores, known, as_fed)
    num_images = scores.statistics.shape[2]
    return Reading(tuple(hypotheses), scores, as_fed, best, sigmas, num_images, dropped)


def _shortlist(
    score: Callable[..., Scores],
    some: dict[str, np.ndarray],
    every: list[Hypothesis],
    known: InputConvention | None,
) -> tuple[list[Hypothesis], tuple[tuple[Hypothesis, float], ...]]:
    """Compares all hypotheses on about 8 images and two layers, to save time.

    Returns:
        The hypotheses of the two best modes, of the known mode and of the images as fed, and those
        without a fix that fit about as well as the best one; and the others with their misfits.
    """
    step = max(2, len(next(iter(some.values()))) // MIN_TRIAL_IMAGES)
    part = {key: value[::step] for key, value in some.items()}
    misfit = score(part, [h.transform for h in every], depth=2).misfit
    best = dict.fromkeys(every[i].kind for i in np.argsort(misfit) if every[i].has_fix)
    kinds = [*best][:2]
    if known is not None:
        kinds.append((known.mode, False))
    limit = misfit.min() + MAX_ROUGH_GAP
    kept = [
        h.is_identity or (h.kind in kinds if h.has_fix else fit < limit)
        for h, fit in zip(every, misfit, strict=True)
    ]
    return (
        [h for h, is_kept in zip(every, kept, strict=True) if is_kept],
        tuple(
            (h, float(np.exp(fit))) for h, fit, k in zip(every, misfit, kept, strict=True) if not k
        ),
    )


def settle_order(
    hypotheses: list[Hypothesis], scores: Scores, known: InputConvention | None, as_fed: int
) -> tuple[int, float]:
    """Returns the index of the best hypothesis, and its `Reading.swap_sigmas`.

    Twins differ in the order of both the pixels and the means, which the first layers cannot tell
    apart. Of twins, the one that leaves the images as fed is assumed, or else the one whose means
    are in the usual order of the mode. If the structure of the model determines the order of the
    means (`known`), there are no twins.
    """
    best = int(np.argmin(scores.misfit[: sum(h.has_fix for h in hypotheses)]))
    given = hypotheses[best]
    swapped = {
        h.means: i
        for i, h in enumerate(hypotheses)
        if h.kind == given.kind and h.swap != given.swap and h.has_fix
    }
    twin = next((i for means, i in swapped.items() if means != given.means), None)
    if twin is not None and known is None and scores.gap(twin, best)[0] <= MIN_MODE_GAP:
        if as_fed in (best, twin):
            return as_fed, 0.0
        return best if given.has_usual_means else twin, 0.0
    if given.means not in swapped:
        return best, 0.0
    return best, scores.gap(swapped[given.means], best)[1]
