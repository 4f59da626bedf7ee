"""`Views`: the evaluation samples with any set of exact causes removed.

An exact cause is one whose effect can be removed from the samples exactly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.explain.samples import Samples

PREPROCESSING = "preprocessing"
CHANNEL_ORDER = "channel order"
COLUMN_ORDER = "column order"
SIZE = "resolution and crop"

Inputs = dict[str, np.ndarray]  # samples by input name


@dataclass(frozen=True)
class Removable:
    """A cause that can be removed exactly."""

    cause: str  # its name in the report
    detail: str  # its description for the report
    repair: str = ""  # a line of Python to paste
    # Removes the cause from the samples at some positions.
    undo: Callable[[Inputs, Any], Inputs] | None = None


@dataclass(frozen=True)
class Views:
    """The samples with any set of exact causes removed."""

    samples: Samples  # the samples as the model is fed them
    # The causes that can be removed, in the order in which they are removed.
    causes: tuple[Removable, ...] = ()
    notes: tuple[str, ...] = ()  # notes for the report about causes that could not be checked

    def chunks(self, removed: frozenset[str] | None = None) -> Iterator[Inputs]:
        """Yields the samples in chunks by input name, without the named causes; None for all."""
        for part, inputs in self.samples.chunks():
            for cause in self.causes:
                if cause.undo is not None and (removed is None or cause.cause in removed):
                    inputs = cause.undo(inputs, part)
            yield inputs

    def packed(self, removed: frozenset[str]) -> Iterator[Any]:
        """Returns the result of `chunks` in the structure that the model accepts."""
        return (self.samples.packed(x) for x in self.chunks(removed))
