"""Class ids that mean other classes than in training."""

import numpy as np

from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.matching import matched
from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half

MAX_NAMED = 4  # pairs of ids that a sentence names. A convention.
# Added to the diagonal of the confusion matrix, so that classes without samples keep their name. A
# convention.
PRIOR = 0.5
STEP = "Give validation the class names of training: class_names=train.class_names"


def rivals(case: Case) -> list[Rival]:
    """Returns the rival, for labels that are class ids."""
    if not isinstance(case.likelihood, Classes):
        return []
    return [Rival("labels", "renamed", "labels renamed", _fit, is_free=True, is_once=True)]


def _fit(half: Half) -> Undoing:
    """Matches ids with predicted classes, each once, so that most predictions are right."""
    classes = half.outputs.shape[1]
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, half.y, half.outputs)
    np.fill_diagonal(confusion, confusion.diagonal() + PRIOR)
    meant = matched(-confusion)
    ids = [[int(k), int(meant[k])] for k in np.flatnonzero(meant != np.arange(classes))]
    return Undoing(
        lambda samples: samples.with_y(meant[samples.y]),
        ids,
        ("renamed", ids),
        cause_of(ids),
        STEP,
        {"ids": ids},
    )


def cause_of(ids: list[list[int]]) -> str:
    """Returns what renamed class ids look like, as a sentence.

    >>> cause_of([[1, 2], [2, 1]])
    'the labels 1 and 2 of {data} are exchanged'
    >>> cause_of([[k, (k + 1) % 4] for k in range(4)])
    'class ids of {data} are lower by 1 than in training from 0 on'
    """
    if len(ids) == 2:
        return f"the labels {ids[0][0]} and {ids[1][0]} of {{data}} are exchanged"
    steps = {other - one for one, other in ids}
    if len(steps & {1, -1}) == 1 and len(ids) > 2 and len(steps) <= 2:
        step = (steps & {1, -1}).pop()
        first = min(one for one, other in ids if other - one == step)
        word = "lower" if step > 0 else "higher"
        folder = ", as where a class folder is missing" if step > 0 and first else ""
        return f"class ids of {{data}} are {word} by 1 than in training from {first} on{folder}"
    named = ", ".join(f"{one} means {other}" for one, other in ids[:MAX_NAMED])
    more = " ..." if len(ids) > MAX_NAMED else ""
    return f"class ids of {{data}} are those of other classes in training: {named}{more}"
