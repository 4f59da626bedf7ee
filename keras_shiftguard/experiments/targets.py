"""Candidates for targets that are the inputs, as those of an autoencoder: both change alike.

Where a pipeline divides the samples of validation by 255 twice, the targets of an autoencoder are
divided with them. So what is undone in the samples is undone in their targets as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.masks import WHOLE
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.statistics.rows import Rows

# Families of operations that move values to other places, and the operations of these families
# that change values instead. Given by the table of operations.
PLACES = ("order", "columns", "series", "tokens")
VALUES = ("blank", "units")


def are_inputs(x: Any, labels: Any) -> bool:
    """Whether the targets of samples are the samples themselves.

    Args:
        x: The samples of one input, `(samples, ...)`.
        labels: Their targets; `Rows` if they are no class ids.
    """
    targets = labels.tree if isinstance(labels, Rows) else None
    if not isinstance(targets, np.ndarray) or not isinstance(x, np.ndarray):
        return False
    is_number = targets.dtype.kind in "biuf" and x.dtype.kind in "biuf"
    return is_number and targets.shape == x.shape and np.allclose(targets, x, equal_nan=True)


def with_targets(found: Sequence[Candidate], x: np.ndarray) -> list[Candidate]:
    """Returns the candidates for samples `x`, each of which changes their targets as well.

    Those that change or smooth values are left out: darker or blurred targets have smaller errors.
    """
    return [
        replace(each, moves=_on_targets(each.apply, x.dtype))
        for each in found
        if each.choice.name in WHOLE or _moves_values(each.choice)
    ]


def _moves_values(choice: Choice) -> bool:
    return choice.family in PLACES and choice.name not in VALUES


def _on_targets(apply: Callable[[Any], Any], dtype: Any) -> Callable[[Rows], Rows]:
    """Returns a function of targets, which may have another type than the samples."""
    return lambda labels: Rows(np.asarray(apply(labels.tree.astype(dtype))))
