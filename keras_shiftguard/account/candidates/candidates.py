"""Candidates of an experiment: functions that change samples, with the choice that each stands for.

A candidate takes samples as the model gets them, and returns them changed. Those for tables, ids
and masks have files of their own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np

from keras_shiftguard.operations.levels import WRAP, wrapped
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows

SOME = 64  # images that show where a candidate moves the values. A convention.
# Standard deviations that an operation may move the values away: the gap that counts as closed when
# augmentation is adapted. A convention.
FURTHER = 0.5
# Deviations by which means, and logarithms of deviations, may differ by chance: sampling moves
# those of some hundred rows by a few percent. A smaller deviation than the second number counts as
# none. Conventions.
NEAR, TINY = 0.15, 1e-6
EXCHANGED = "exchanged inputs"  # name of the operation; its strength is the name of the other input
LEVELS = 256  # values of an 8-bit number. Given by its definition.
# The levels must fit by so much better than after the same number is subtracted and clipped, as
# more light is undone. A convention.
BETTER = 0.5


@dataclass(frozen=True)
class Choice:
    """An operation of a family, with its strength in the unit of the operation."""

    name: str
    family: str
    strength: object


@dataclass(frozen=True)
class Candidate:
    """A change of samples that an experiment tries."""

    choice: Choice  # the operation and its strength
    # A function from samples, `(samples, ...)`, to changed samples, float32.
    apply: Callable[[Any], Any]
    # A function from their labels to changed labels, if those of masks move as well.
    moves: Callable[[Any], Any] | None = None
    # A simpler one, which is told instead unless it surely wins less; None without one.
    rival: "Candidate | None" = None

    def of_input(self, name: str) -> "Candidate":
        """Returns the candidate for one of several inputs, which are `Rows` by name."""

        def run(rows: Rows) -> Rows:
            return Rows({**rows.tree, name: self.apply(rows.tree[name])})

        rival = None if self.rival is None else self.rival.of_input(name)
        return replace(self, apply=run, rival=rival)


def image_candidates(scale: Scale, names: Iterable[str] = tuple(OPERATIONS)) -> list[Candidate]:
    """Returns the candidates for images: each operation with each of its strengths.

    `scale` is black and white of the images that the model was trained on.
    """
    return [
        Candidate(
            Choice(operation.name, operation.family, strength),
            on_images(operation.apply, strength, scale),
        )
        for operation in map(OPERATIONS.__getitem__, names)
        if operation.apply is not None and operation.channels <= len(scale.low)
        for strength in operation.strengths
    ]


def nearing(
    candidates: Iterable[Candidate], images: np.ndarray, training: np.ndarray
) -> list[Candidate]:
    """Returns the candidates whose changed values are not further from those of training.

    A repair brings images nearer to those that the model was trained on. What multiplies ordinary
    pixels by 127 may still win a few points by chance, and its line would do harm. Only candidates
    of the family `"light"` change the values.
    """
    some, mean, spread = images[:SOME], float(training.mean()), float(training.std()) or 1.0

    def distance(x: np.ndarray) -> float:
        ratio = max(float(x.std()) / spread, 1e-30)
        return abs(float(x.mean()) - mean) / spread + abs(log(ratio))

    most = distance(some) + FURTHER
    return [c for c in candidates if c.choice.family != "light" or distance(c.apply(some)) <= most]


def on_images(
    apply: Callable[[Any, Any], Any], strength: object, scale: Scale
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function that applies an operation, see `Operation.apply`, to images of a model."""

    def run(images: np.ndarray) -> np.ndarray:
        return in_chunks(lambda x: scale.from_unit(apply(scale.to_unit(x), strength)), images)

    return run


def wrapped_candidates(scale: Scale, images: np.ndarray, training: np.ndarray) -> list[Candidate]:
    """Returns the candidate that undoes an overflow; none if the levels show no overflow."""
    here, there = _shares(images, scale), _shares(training, scale)
    misfits = [np.abs(np.roll(here, -number) - there).sum() for number in range(LEVELS)]
    number = int(np.argmin(misfits))
    if misfits[number] > BETTER * np.abs(_darker(here, number) - there).sum():
        return []
    amount = number / (LEVELS - 1)
    return [Candidate(Choice(WRAP.name, WRAP.family, amount), on_images(wrapped, amount, scale))]


def _darker(shares: np.ndarray, number: int) -> np.ndarray:
    """Returns the shares of the levels after a number is subtracted and clipped at black."""
    clipped = np.roll(shares, -number)
    lost = clipped[LEVELS - number :].sum()
    clipped[LEVELS - number :] = 0.0
    clipped[0] += lost
    return clipped


def _shares(images: np.ndarray, scale: Scale) -> np.ndarray:
    """Returns the shares of the levels of 8-bit images, `(256,)`."""
    low, high = float(scale.low[0]), float(scale.high[0])
    levels = np.rint((images.astype("float32") - low) / (high - low) * (LEVELS - 1))
    levels = np.nan_to_num(levels).clip(0, LEVELS - 1).astype(int).ravel()
    return np.bincount(levels, minlength=LEVELS) / len(levels)


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
