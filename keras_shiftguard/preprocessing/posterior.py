"""`Posterior`: how probable each scale of the pixels is as the one that a model expects.

A hypothesis is a mode, and whether dark and bright are exchanged. If the images look garbled, that
they are is a hypothesis as well. One more is that the model expects none of them, so that nothing
is claimed where nothing fits.
Three kinds of evidence speak for or against each hypothesis, and add up: how well the images fit
the batch norm in it, how much better the network sees with it (the trial), and whether the
architecture is published for it. What makes images odd (pale, dark, hazy, tinted, low in contrast)
is tried for each hypothesis alike, see `level_correction` and `Hypothesis`.

The probabilities are means over bootstrap draws of the images. So with few images, no hypothesis
is probable unless each draw agrees. Without batch norm, the trial alone speaks, see `ALONE`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import Transform
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED, Kind
from keras_shiftguard.preprocessing.expected.hypothesis_names import is_about
from keras_shiftguard.preprocessing.garbled import Garbling
from keras_shiftguard.preprocessing.limits import MIN_IMAGES, MIN_MISMATCH, MIN_OK
from keras_shiftguard.preprocessing.witnesses.preference import Preference

# Log-odds that batch norm counts up to for a garbling: just enough to prove it. A convention.
MOST_GARBLED = 2.2
# What is less probable than this is ruled out. A convention, checked in the same page.
LEAST = 0.01
REPAIRED: Kind = ("repaired", False)  # the images as fed, after a suspected garbling was undone
OWN_DATA_SET: Kind = ("custom", False)
Misfits = Mapping[Kind, np.ndarray]


class Weights(NamedTuple):
    """What each evidence counts, in log-odds; chosen with a network left out in turn.

    `examples/benchmarks/verdict_weights.py` chooses them.

    Args:
        misfit: Of each unit of log misfit.
        trial: Of each standard error of the trial.
        most: The trial counts up to so many standard errors.
        published: Of the convention that the architecture is published for.
        inverted: Of images whose dark and bright are exchanged.
        each: Of a training that standardised each image by itself.
        unusual: Of images in color that were standardised by the numbers of their own data set.
        odd: Added to the log misfits of odd images as they are, that is without the levels of
            ordinary photos.
        none: The misfit of a model that expects none of the hypotheses.
        fed: Of the images as fed.
    """

    misfit: float = 8.0
    trial: float = 0.25
    most: float = 4.0
    published: float = 2.0
    inverted: float = -1.0
    each: float = -2.0
    unusual: float = -3.0
    odd: float = 0.3
    none: float = 0.57
    fed: float = 0.0


WEIGHTS = Weights()
# Without batch norm, a fix must help by 3 standard errors to be probable. The images as fed are
# probable if every other mode does harm by 2. Conventions.
ALONE = WEIGHTS._replace(trial=0.9, most=np.inf, published=0.0, none=np.inf, fed=0.5)


@dataclass(frozen=True)
class Evidence:
    """All evidence on one input, before it is weighed.

    Args:
        fed: The kind of the images as fed.
        misfits: Log misfits of each kind for bootstrap draws of the images, `(draws,)` each.
        levelled: The same for images with the levels of ordinary photos; empty if they have them.
        published: The kind that the architecture is published for; None if there is none.
        sigmas: The trials of other kinds against the images as fed, in standard errors.
        unusual: A kind that is unusual for such images; None if none is.
    """

    fed: Kind
    misfits: Misfits
    levelled: Misfits = field(default_factory=dict)
    published: Kind | None = None
    sigmas: Mapping[Kind, float] = field(default_factory=dict)
    unusual: Kind | None = None

    def weighed(self, weights: Weights = WEIGHTS) -> dict[Kind, float]:
        """Returns the probability of each kind; what is left of 1 is that of "none of these"."""
        misfits = dict(self.misfits)
        if self.levelled:
            # Most networks were trained on ordinary photos. So pale, dark, hazy or tinted images
            # are likelier to be ordinary in their levels than to be like those of the training.
            odd = {kind: misfit + weights.odd for kind, misfit in misfits.items()}
            misfits = _smaller(odd, self.levelled)
        scores = []
        for kind, misfit in misfits.items():
            sigmas = np.clip(self.sigmas.get(kind, 0.0), -weights.most, weights.most)
            odds = weights.published * (kind == self.published) + weights.trial * sigmas
            odds += weights.fed * (kind == self.fed)
            odds += weights.inverted * kind[1] + weights.each * (kind == STANDARDISED)
            odds += weights.unusual * (kind == self.unusual)
            scores.append(odds - weights.misfit * misfit)
        scores.append(np.full_like(scores[0], -weights.misfit * np.log(weights.none)))
        table = np.stack(scores)
        table = np.exp(table - table.max(axis=0))
        means = (table / table.sum(axis=0)).mean(axis=1)
        return {kind: float(p) for kind, p in zip(misfits, means, strict=False)}


@dataclass(frozen=True)
class Posterior:
    """Probability of each kind of hypothesis on one input.

    Args:
        evidence: What was weighed.
        probability: Probability by kind. What is left of 1 is that of "none of these".
        compared: The kinds that were compared on all images; the others were ruled out early.
        trials: The trials of other kinds against the images as fed.
    """

    evidence: Evidence
    probability: Mapping[Kind, float]
    compared: tuple[Kind, ...]
    trials: Mapping[Kind, Preference]

    @property
    def fed(self) -> Kind:
        """The kind of the images as fed."""
        return self.evidence.fed

    @property
    def rival(self) -> Kind:
        """The most probable compared kind other than that of the images as fed."""
        others = [kind for kind in self.compared if kind != self.fed]
        return max(others, key=lambda kind: self.probability[kind], default=self.fed)

    @property
    def of_fed(self) -> float:
        """Probability of the images as fed."""
        return self.probability[self.fed]

    @property
    def of_rival(self) -> float:
        """Probability of the most probable kind other than that of the images as fed."""
        return 0.0 if self.rival == self.fed else self.probability[self.rival]

    @property
    def is_retrained(self) -> bool:
        """Whether batch norm rules out the convention that the architecture is published for.

        Then the backbone was trained on images of its owner, and not only the head.
        """
        published = self.evidence.published
        return published is not None and self.probability[published] <= LEAST


def posterior(
    case: Case, reading: Reading, published: InputConvention | None = None, is_tried: bool = True
) -> Posterior:
    """Returns the posterior of one input.

    Args:
        case: The facts on the input.
        reading: Its batch-norm reading.
        published: The convention that the architecture is published for; None if it has none.
        is_tried: Whether the most probable kind is tried against the images as fed.
    """
    evidence = remembered(reading, published)
    compared = tuple(dict.fromkeys(reading.kinds))
    found = Posterior(evidence, evidence.weighed(), compared, {})
    # The trial is left out where it would decide nothing.
    if not is_tried or found.of_fed >= MIN_MISMATCH or found.rival == found.fed:
        return found
    trial = case.compare(_map_of(reading, found.rival))
    if trial is None:
        return found
    if trial.can_tell:
        evidence = replace(evidence, sigmas={found.rival: trial.sigmas})
    return Posterior(evidence, evidence.weighed(), compared, {found.rival: trial})


def posterior_of_trial(case: Case, kinds: Sequence[Kind]) -> Posterior:
    """Returns the posterior of one input of a network without batch norm.

    Args:
        case: The facts on the input.
        kinds: The kinds to compare with that of the images as fed, one by one, as long as that of
            the images as fed may be probable.
    """
    observed = case.observation.convention
    fed: Kind = (observed.mode, False)
    order = observed.channel_order
    trials: dict[Kind, Preference] = {}
    sigmas: dict[Kind, float] = {}
    for kind in kinds:
        mode = "raw" if kind == STANDARDISED else kind[0]
        fix = case.map_between(observed, InputConvention(mode, order))
        fix = fix._replace(each=kind == STANDARDISED)
        trial = case.compare(fix)
        if trial is None or not trial.can_tell:
            break
        trials[kind], sigmas[kind] = trial, trial.agreed
        tried = Evidence(fed, {each: np.zeros(1) for each in (fed, *trials)}, sigmas=sigmas)
        if tried.weighed(ALONE)[fed] < MIN_OK:
            break  # others can only lower this probability
    evidence = Evidence(fed, {kind: np.zeros(1) for kind in (fed, *kinds)}, sigmas=sigmas)
    return Posterior(evidence, evidence.weighed(ALONE), (fed, *kinds), trials)


def probability_of_garbling(
    garbling: Garbling, trial: Preference | None, reading: Reading | str
) -> float:
    """Returns the probability that undoing a suspected garbling gives what the model expects."""
    odds = -ALONE.fed
    if isinstance(reading, Reading) and reading.num_images >= MIN_IMAGES:
        p = np.clip(remembered(reading).weighed().get(REPAIRED, 0.0), 1e-9, 1 - 1e-9)
        odds = float(np.clip(np.log(p / (1 - p)), -MOST_GARBLED, MOST_GARBLED))
    elif garbling.is_plain:
        odds += ALONE.trial  # the images themselves are worth a standard error
    if trial is not None and trial.can_tell:
        odds += ALONE.trial * trial.sigmas
    return float(1 / (1 + np.exp(-odds)))


def remembered(reading: Reading, published: InputConvention | None = None) -> Evidence:
    """Returns the evidence of batch norm and of the published convention."""
    fed = reading.hypotheses[reading.as_fed].kind
    of_published = {
        kind
        for kind, hypothesis in zip(reading.kinds, reading.hypotheses, strict=True)
        if published is not None and not kind[1] and is_about(hypothesis, published)
    }
    own, other = _misfits_of(reading), {}
    if reading.other is not None:
        other = _misfits_of(reading.other)
    as_is, levelled = (other, own) if reading.is_levelled else (own, other)
    of_repaired = reading.other if reading.is_levelled else reading
    if of_repaired is not None and of_repaired.repaired is not None:
        as_is[REPAIRED] = of_repaired.repaired
    is_color = len(reading.hypotheses[0].scale) == 3
    is_known = published is not None and published.mode == "custom"
    unusual = OWN_DATA_SET if is_color and not is_known else None
    return Evidence(fed, as_is, levelled, next(iter(of_published), None), unusual=unusual)


def _map_of(reading: Reading, kind: Kind) -> Transform:
    """Returns the map of the images as fed to the best hypothesis of a kind, if possible a fix."""
    index = [i for i, each in enumerate(reading.kinds) if each == kind]
    misfit, hypotheses = reading.scores.misfit, reading.hypotheses
    return hypotheses[min(index, key=lambda i: (not hypotheses[i].has_fix, misfit[i]))].transform


def _misfits_of(reading: Reading) -> dict[Kind, np.ndarray]:
    """Returns the log misfit of each kind, for bootstrap draws of the images, `(draws,)` each.

    Of what may explain the images, what fits best counts, for each kind by itself. Kinds that were
    ruled out early have the same rough misfit in all draws.
    """
    draws, kinds = reading.scores.resampled, reading.kinds
    found: dict[Kind, np.ndarray] = {}
    for kind in dict.fromkeys(kinds):
        found[kind] = draws[:, [i for i, each in enumerate(kinds) if each == kind]].min(axis=1)
    rough = {h.kind: np.full(len(draws), np.inf) for h, _ in reading.dropped if h.kind not in found}
    for hypothesis, misfit in reading.dropped:
        if hypothesis.kind in rough:
            rough[hypothesis.kind] = np.minimum(rough[hypothesis.kind], np.log(misfit))
    return found | rough


def _smaller(one: Misfits, other: Misfits) -> dict[Kind, np.ndarray]:
    """Returns the smaller misfit of each kind that either has."""
    both = dict(one)
    for kind, misfit in other.items():
        both[kind] = np.minimum(both[kind], misfit) if kind in both else misfit
    return both
