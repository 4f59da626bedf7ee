"""Candidates for targets that are the inputs, as those of an autoencoder: both change alike.

Where a pipeline divides the samples of validation by 255 twice, the targets of an autoencoder are
divided with them. So what is undone in the samples is undone in their targets as well.

Such a model is no judge of what is right: whatever makes samples more like those of training has a
smaller error. So a repair explains only what it wins back nearly as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
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
OF_TARGETS = "; y = x"  # what follows a line that repairs samples. Given by Python.


def are_inputs(images: Any, labels: Any) -> bool:
    """Whether the targets of samples are the samples themselves."""
    if not isinstance(labels, Rows):
        return False
    x, y = images.tree if isinstance(images, Rows) else images, labels.tree
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        return x.keys() == y.keys() and all(_are_equal(x[name], y[name]) for name in x)
    return _are_equal(x, y)


def with_targets(found: Sequence[Candidate], x: np.ndarray, name: str) -> list[Candidate]:
    """Returns the candidates for an input `x`, each of which changes its targets as well.

    Those that change or smooth values are left out: darker or blurred targets have smaller errors.
    """

    def moves(apply: Callable[[Any], Any]) -> Callable[[Rows], Rows]:
        return lambda labels: changed_targets(labels, name, lambda y: apply(y.astype(x.dtype)))

    return [
        replace(each, moves=moves(each.apply))
        for each in found
        if each.choice.name in WHOLE or _moves_values(each.choice)
    ]


def with_own_targets(fix: str) -> str:
    """Returns a line that repairs samples `x`, with their targets `y`, which are the samples."""
    is_whole = " = " not in fix or fix.endswith(OF_TARGETS)
    return fix if is_whole else f"{fix}{OF_TARGETS}"


def changed_targets(labels: Rows, name: str, apply: Callable[[Any], Any]) -> Rows:
    """Returns targets that are the inputs, of which those of one input are changed."""
    if not isinstance(labels.tree, Mapping):
        return Rows(np.asarray(apply(labels.tree)))
    return Rows({**labels.tree, name: np.asarray(apply(labels.tree[name]))})


def _moves_values(choice: Choice) -> bool:
    return choice.family in PLACES and choice.name not in VALUES


def _are_equal(x: Any, y: Any) -> bool:
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray) or x.shape != y.shape:
        return False
    is_number = x.dtype.kind in "biuf" and y.dtype.kind in "biuf"
    return is_number and np.allclose(x, y, equal_nan=True)
