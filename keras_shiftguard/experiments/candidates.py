"""Candidates of an experiment: functions that change samples, with the choice that each stands for.

A candidate takes samples as the model gets them, and returns them changed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.operations.table import OPERATIONS

CHUNK = 256  # samples that are changed at a time


@dataclass(frozen=True)
class Candidate:
    """A change of samples that an experiment tries.

    Args:
        choice: The operation and its strength.
        apply: A function from samples, `(samples, ...)`, to changed samples, float32.
    """

    choice: Choice
    apply: Callable[[np.ndarray], np.ndarray]


def image_candidates(scale: Scale, names: Iterable[str] | None = None) -> list[Candidate]:
    """Returns the candidates for images: each operation with each of its strengths.

    Args:
        scale: Black and white of the images that the model was trained on.
        names: Names of the operations; None for all.
    """
    channels = len(scale.low)
    chosen = OPERATIONS if names is None else {name: OPERATIONS[name] for name in names}
    return [
        Candidate(
            Choice(operation.name, operation.family, strength),
            _on_images(operation.apply, strength, scale),
        )
        for operation in chosen.values()
        if operation.apply is not None and operation.channels <= channels
        for strength in operation.strengths
    ]


def _on_images(
    apply: Callable[[Any, Any], Any], strength: object, scale: Scale
) -> Callable[[np.ndarray], np.ndarray]:
    def run(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), CHUNK):
            x = scale.to_unit(images[start : start + CHUNK])
            y = scale.from_unit(apply(x, strength))
            parts.append(np.asarray(keras.ops.convert_to_numpy(y)))
        return np.concatenate(parts)

    return run
