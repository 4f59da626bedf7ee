"""Candidates of an experiment: functions that change samples, with the choice that each stands for.

A candidate takes samples as the model gets them, and returns them changed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np

from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows

SOME = 64  # images that show where a candidate moves the values. A convention.
# Standard deviations that an operation may move the values away: the gap that counts as closed when
# augmentation is adapted. A convention.
FURTHER = 0.5


@dataclass(frozen=True)
class Candidate:
    """A change of samples that an experiment tries.

    Args:
        choice: The operation and its strength.
        apply: A function from samples, `(samples, ...)`, to changed samples, float32.
        moves: A function from their labels to changed labels, if those of masks move as well.
        rival: A simpler one, which is told instead unless it surely wins less; None without one.
    """

    choice: Choice
    apply: Callable[[Any], Any]
    moves: Callable[[Any], Any] | None = None
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
