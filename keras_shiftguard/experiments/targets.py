"""Candidates for targets that are the inputs, as those of an autoencoder: both change alike.

Where a pipeline divides the samples of validation by 255 twice, the targets of an autoencoder are
divided with them. So what is undone in the samples is undone in their targets as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.statistics.rows import Rows


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


def with_targets(found: Sequence[Candidate]) -> list[Candidate]:
    """Returns the candidates, each of which changes targets that are inputs as well."""
    return [replace(each, moves=_on_targets(each.apply)) for each in found]


def _on_targets(apply: Callable[[Any], Any]) -> Callable[[Rows], Rows]:
    return lambda labels: Rows(apply(labels.tree))
