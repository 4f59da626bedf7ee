"""Candidates for models of several inputs: two inputs of one shape that are exchanged."""

from typing import Any

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.statistics.rows import Rows

EXCHANGED = "exchanged inputs"  # name of the operation; its strength is the name of the other input


def input_candidates(samples: Rows, training: Rows | None, name: str) -> list[Candidate]:
    """Returns the candidates that exchange an input with each other input of its shape.

    Args:
        samples: Samples of validation, by input.
        training: Samples of training, by input; None if there are none.
        name: Name of the input that may differ.
    """
    return [
        Candidate(Choice(EXCHANGED, "inputs", other), _exchange(name, other))
        for other in samples.tree
        if other != name and _are_alike(samples, training, name, other)
    ]


def _exchange(one: str, other: str) -> Any:
    def run(rows: Rows) -> Rows:
        return Rows({**rows.tree, one: rows.tree[other], other: rows.tree[one]})

    return run


def _are_alike(samples: Rows, training: Rows | None, one: str, other: str) -> bool:
    """Whether a model may be fed one input as the other: an embedding has rows only for its ids."""
    here, there = samples.tree[one], samples.tree[other]
    if here.shape != there.shape or here.dtype != there.dtype:
        return False
    if here.dtype.kind not in "iu":
        return True
    if training is None or not len(training):
        return False
    pairs = ((here, training.tree[other]), (there, training.tree[one]))
    return all(np.max(ids) <= np.max(known) for ids, known in pairs)
