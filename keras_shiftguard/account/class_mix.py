"""The part of a gap that other class frequencies explain (Oaxaca 1973; Blinder 1973)."""

from typing import NamedTuple

import numpy as np

from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.samples import Half
from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies

MIN_UNSEEN = 0.05  # share of validation. A convention.
MAX_P = 1e-3  # of other class frequencies. A convention.
CAUSE = "{data} has other class frequencies, with more of the classes that the model knows less"
UNSEEN = "{data} has classes that training lacks: {classes}"
STEP = "x_train, x_val, y_train, y_val = sklearn.model_selection.train_test_split(x, y, stratify=y)"


class ClassMix(NamedTuple):
    """What other class frequencies cost, its standard error, and what they are in words."""

    points: float
    error: float
    cause: str = CAUSE


def class_mix(likelihood: Classes, training: Half, ids: np.ndarray) -> ClassMix | None:
    """Returns training's recall of each class, weighted by its frequency in training minus here.

    None if the frequencies differ by no more than chance. `ids` are the labels of validation.
    """
    if likelihood.counts is None or not len(training):
        return None
    number = max(len(likelihood.counts), int(ids.max(initial=0)) + 1)
    there = np.pad(likelihood.counts, (0, number - len(likelihood.counts))).astype("float64")
    here = np.bincount(ids, minlength=number).astype("float64")
    test = compare_frequencies(here, there)
    if not test.tested or test.p_value > MAX_P:
        return None
    right = likelihood.worth(training.outputs, training.y)
    counts = np.bincount(training.y, minlength=number)[:number]
    known = counts > 0
    if not known.any():
        return None
    recall = np.bincount(training.y, weights=right, minlength=number)[:number] / np.maximum(
        counts, 1
    )
    # Classes that training lacks are never right.
    moved = np.where(known, there / there.sum() - here / here.sum(), 0.0)
    error = np.sqrt((moved**2 * recall * (1 - recall) / np.maximum(counts, 1)).sum())
    unseen = np.flatnonzero((here > 0) & (there == 0))
    cause = CAUSE
    if len(unseen) and here[unseen].sum() > MIN_UNSEEN * here.sum():
        named = ", ".join(map(str, unseen[:5])) + (" ..." if len(unseen) > 5 else "")
        cause = UNSEEN.format(data="{data}", classes=named)
    return ClassMix(float((recall * moved).sum()), float(error), cause)
