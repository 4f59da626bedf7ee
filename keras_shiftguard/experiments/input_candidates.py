"""Candidates for models of several inputs: two inputs of one shape that are exchanged."""

from typing import Any

import numpy as np

from keras_shiftguard.experiments.candidates import Candidate
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.statistics.rows import Rows

# A difference of so much may be chance, and a smaller deviation counts as none. Conventions.
NEAR, TINY = 0.15, 1e-6
EXCHANGED = "exchanged inputs"  # name of the operation; its strength is the name of the other input


def input_candidates(samples: Rows, training: Rows | None, name: str) -> list[Candidate]:
    """Returns the candidates that exchange an input with each other input of its shape."""
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
    """Whether two inputs may have been exchanged.

    Exchanged, their values must not be further from those of training than they are now, and an
    embedding must have rows for the ids.
    """
    here, there = samples.tree[one], samples.tree[other]
    if training is None or not len(training) or here.shape != there.shape:
        return False
    known = training.tree[one], training.tree[other]
    is_number = here.dtype == there.dtype and here.dtype.kind in "biuf" and here.size
    if not is_number or any(part.shape[1:] != here.shape[1:] for part in known):
        return False
    if here.dtype.kind in "iu":
        return bool(here.max() <= known[1].max() and there.max() <= known[0].max())
    pairs = ((here, there, known[0]), (there, here, known[1]))
    return all(_distance(new, of) <= _distance(old, of) + NEAR for old, new, of in pairs)


def _distance(x: np.ndarray, reference: np.ndarray) -> float:
    """Returns how far mean and deviation of each value are from those of a reference, on average.

    In deviations of the reference, where large distances count by their logarithm.
    """
    (mean, std), (before, unit) = (
        (part.mean(axis=0), part.std(axis=0) + TINY)
        for part in (np.nan_to_num(x.astype("float64")), np.nan_to_num(reference.astype("float64")))
    )
    return float(np.mean(np.arcsinh(np.abs(mean - before) / unit) + np.abs(np.log(std / unit))))
