"""`Posterior`: how probable each scale of the pixels is as the one that a model expects.

A hypothesis is a mode, and whether dark and bright are exchanged. One more
hypothesis is that the model expects none of them, so that nothing is claimed where nothing fits.
Three kinds of evidence speak for or against each hypothesis, and add up: how well the images fit
the batch norm in it, how much better the network sees with it (the trial), and whether the
architecture is published for it. What makes images odd (pale, dark, hazy, tinted, low in contrast)
is tried for each hypothesis alike, see `levels.py` and `Reading.extra`.

The probabilities are means over bootstrap draws of the images. So with few images, no hypothesis
is probable unless each draw agrees.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypothesis_names import is_about
from keras_shiftguard.preprocessing.limits import (
    MAX_SIGMAS_THAT_COUNT,
    MIN_MISMATCH,
    MISFIT_OF_NONE,
    MISFIT_OF_ODD,
    WEIGHT_OF_INVERTED,
    WEIGHT_OF_MISFIT,
    WEIGHT_OF_PUBLISHED,
    WEIGHT_OF_TRIAL,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference

LEAST = 0.01  # a kind that is less probable is not tried
Kind = tuple[str, bool]  # a mode, and whether dark and bright are exchanged


@dataclass(frozen=True)
class Posterior:
    """Probability of each kind of hypothesis on one input.

    Args:
        probability: Probability by kind. What is left of 1 is that of "none of these".
        fed: The kind of the images as fed.
        compared: The kinds that were compared on all images; the others were ruled out early.
        trials: The trials of other kinds against the images as fed.
    """

    probability: Mapping[Kind, float]
    fed: Kind
    compared: Collection[Kind]
    trials: Mapping[Kind, Preference]

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


def kinds_of(reading: Reading) -> list[Kind]:
    """Returns the kind of each hypothesis, and then of each of `Reading.extra`.

    Several kinds may leave the images as they are; they count as one.
    """
    fed = reading.hypotheses[reading.as_fed].kind
    own = [fed if hypothesis.is_identity else hypothesis.kind for hypothesis in reading.hypotheses]
    return [*own, *(kind for kind, _ in reading.extra)]


def misfits_of(reading: Reading) -> dict[Kind, np.ndarray]:
    """Returns the log misfit of each kind, for bootstrap draws of the images, `(draws,)` each.

    Of what may explain the images, what fits best counts, for each kind by itself. Kinds that were
    ruled out early have the same rough misfit in all draws. Most networks were trained on ordinary
    photos. So pale, dark, hazy or tinted images are likelier to be ordinary in their levels than
    to be like those of the training as they are.
    """
    draws, kinds = reading.scores.resampled, kinds_of(reading)
    found: dict[Kind, np.ndarray] = {}
    for kind in dict.fromkeys(kinds):
        found[kind] = draws[:, [i for i, each in enumerate(kinds) if each == kind]].min(axis=1)
    rough: dict[Kind, float] = {}
    for hypothesis, misfit in reading.dropped:
        if hypothesis.kind not in found:
            rough[hypothesis.kind] = min(np.log(misfit), rough.get(hypothesis.kind, np.inf))
    found |= {kind: np.full(len(draws), misfit) for kind, misfit in rough.items()}
    if reading.other is None:
        return found
    others = misfits_of(reading.other)
    as_is = others if reading.is_levelled else found
    as_is.update({kind: misfit + MISFIT_OF_ODD for kind, misfit in as_is.items()})
    return found | {
        kind: np.minimum(found[kind], other) if kind in found else other
        for kind, other in others.items()
    }


def posterior(
    case: Case, reading: Reading, published: InputConvention | None = None, tries: int = 2
) -> Posterior:
    """Returns the posterior of one input.

    Args:
        case: The facts on the input.
        reading: Its batch-norm reading.
        published: The convention that the architecture is published for; None if it has none.
        tries: How many of the most probable kinds are tried against the images as fed.
    """
    fed, kinds = reading.hypotheses[reading.as_fed].kind, kinds_of(reading)
    scores = {kind: -WEIGHT_OF_MISFIT * draws for kind, draws in misfits_of(reading).items()}
    pairs = zip(kinds, reading.hypotheses, strict=False)
    of_published = {k for k, h in pairs if published is not None and is_about(h, published)}
    for kind in scores:
        if kind in of_published and not kind[1]:
            scores[kind] = scores[kind] + WEIGHT_OF_PUBLISHED
        if kind[1]:
            scores[kind] = scores[kind] + WEIGHT_OF_INVERTED
    found = _normalised(scores)
    # The trial is left out where it would decide nothing.
    compared = list(dict.fromkeys(kinds))
    others = sorted((k for k in compared if k != fed), key=lambda kind: -found[kind])
    if found[fed] >= MIN_MISMATCH:
        others = []
    misfit = reading.scores.misfit
    maps = [*(h.transform for h in reading.hypotheses), *(change for _, change in reading.extra)]
    trials: dict[Kind, Preference] = {}
    for kind in [k for k in others[:tries] if found[k] > LEAST or k == others[0]]:
        index = [i for i, each in enumerate(kinds) if each == kind]
        own = [i for i in index if i < len(reading.hypotheses)] or index
        trial = case.try_transform(maps[min(own, key=lambda i: misfit[i])])
        if trial is None:
            continue
        trials[kind] = trial
        # More contrast makes odd images easier to tell apart, whatever the network expects.
        if trial.can_tell and reading.other is None:
            sigmas = np.clip(trial.sigmas, -MAX_SIGMAS_THAT_COUNT, MAX_SIGMAS_THAT_COUNT)
            scores[kind] = scores[kind] + WEIGHT_OF_TRIAL * sigmas
    return Posterior(_normalised(scores) if trials else found, fed, compared, trials)


def _normalised(scores: Mapping[Kind, np.ndarray]) -> dict[Kind, float]:
    """Returns the probability of each kind, the mean over draws; "none of these" has the rest."""
    none = np.full(len(next(iter(scores.values()))), -WEIGHT_OF_MISFIT * np.log(MISFIT_OF_NONE))
    table = np.stack([*scores.values(), none])
    table = np.exp(table - table.max(axis=0))
    means = (table / table.sum(axis=0)).mean(axis=1)
    return {kind: float(p) for kind, p in zip(scores, means, strict=False)}
