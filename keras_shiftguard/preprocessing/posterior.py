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
    MISFIT_OF_NONE,
    WEIGHT_OF_INVERTED,
    WEIGHT_OF_MISFIT,
    WEIGHT_OF_PUBLISHED,
    WEIGHT_OF_TRIAL,
)
from keras_shiftguard.preprocessing.witnesses.trial import Preference

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
    hypotheses = reading.hypotheses
    fed = hypotheses[reading.as_fed].kind
    # Several kinds may leave the images as they are; they are one.
    kinds = [fed if h.is_identity else h.kind for h in hypotheses]
    columns: dict[Kind, list[int]] = {}
    for i, kind in enumerate([*kinds, *(kind for kind, _ in reading.extra)]):
        columns.setdefault(kind, []).append(i)
    scores = {
        kind: -WEIGHT_OF_MISFIT * reading.scores.resampled[:, which].min(axis=1)
        for kind, which in columns.items()
    }
    for hypothesis, misfit in reading.dropped:
        rough = np.full_like(scores[fed], -WEIGHT_OF_MISFIT * np.log(misfit))
        if hypothesis.kind not in columns:
            scores[hypothesis.kind] = np.maximum(scores.get(hypothesis.kind, rough), rough)
    if published is not None:
        for kind in {k for k, h in zip(kinds, hypotheses, strict=True) if is_about(h, published)}:
            if not kind[1]:
                scores[kind] = scores[kind] + WEIGHT_OF_PUBLISHED
    for kind in scores:
        if kind[1]:
            scores[kind] = scores[kind] + WEIGHT_OF_INVERTED
    found = _normalised(scores)
    trials: dict[Kind, Preference] = {}
    others = sorted((k for k in columns if k != fed), key=lambda kind: -found[kind])
    maps = [*(h.transform for h in hypotheses), *(transform for _, transform in reading.extra)]
    for kind in others[:tries]:
        own = [i for i in columns[kind] if i < len(hypotheses)] or columns[kind]
        trial = case.try_transform(maps[min(own, key=lambda i: reading.scores.misfit[i])])
        if trial is not None:
            trials[kind] = trial
        if trial is not None and trial.can_tell:
            sigmas = np.clip(trial.sigmas, -MAX_SIGMAS_THAT_COUNT, MAX_SIGMAS_THAT_COUNT)
            scores[kind] = scores[kind] + WEIGHT_OF_TRIAL * sigmas
    return Posterior(_normalised(scores) if trials else found, fed, tuple(columns), trials)


def _normalised(scores: Mapping[Kind, np.ndarray]) -> dict[Kind, float]:
    """Returns the probability of each kind, the mean over draws; "none of these" has the rest."""
    none = np.full(len(next(iter(scores.values()))), -WEIGHT_OF_MISFIT * np.log(MISFIT_OF_NONE))
    table = np.stack([*scores.values(), none])
    table = np.exp(table - table.max(axis=0))
    means = (table / table.sum(axis=0)).mean(axis=1)
    return {kind: float(p) for kind, p in zip(scores, means, strict=False)}
