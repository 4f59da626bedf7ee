"""`Views`: the evaluation samples with any set of exact causes removed.

An exact cause is one whose effect can be removed from the samples exactly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shiftguard.explain.samples import Samples
from keras_shiftguard.preprocessing.correction.layer import InputCorrection

Inputs = dict[str, np.ndarray]  # samples by input name


@dataclass(frozen=True)
class Removable:
    """A cause that can be removed exactly.

    Args:
        cause: Name of the cause in the report.
        detail: Description for the report.
        repair: Line of Python to paste, or "".
        undo: Function that removes the cause from the samples at some positions; it gets the
            samples and the positions. None for label shift, which weights remove.
    """

    cause: str
    detail: str
    repair: str = ""
    undo: Callable[[Inputs, slice], Inputs] | None = None


@dataclass(frozen=True)
class Views:
    """The samples with any set of exact causes removed.

    Args:
        samples: The samples as the model is fed them.
        causes: The causes that can be removed, in the order in which they are removed.
        notes: Notes for the report about causes that could not be checked.
    """

    samples: Samples
    causes: tuple[Removable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def all_removed(self) -> frozenset[str]:
        """The names of all causes."""
        return frozenset(cause.cause for cause in self.causes)

    def chunks(self, removed: frozenset[str]) -> Iterator[Inputs]:
        """Yields the samples in chunks by input name, with the named causes removed."""
        for part, inputs in self.samples.chunks():
            for cause in self.causes:
                if cause.cause in removed and cause.undo is not None:
                    inputs = cause.undo(inputs, part)
            yield inputs

    def packed(self, removed: frozenset[str]) -> Iterator[Any]:
        """Returns the result of `chunks` in the structure that the model accepts."""
        return (self.samples.packed(x) for x in self.chunks(removed))


def in_two_parts(fix: InputCorrection) -> tuple[InputCorrection | None, InputCorrection | None]:
    """Returns the correction of the values and that of the order of channels, in this order.

    Each is None if it changes nothing. Together they do what `fix` does, but each colour gets its
    own scale and offset even if the order of the channels is not corrected.
    """
    scale, offset = np.atleast_1d(fix.scale), np.atleast_1d(fix.offset)
    values = order = None
    if fix.permutation is not None:
        order = InputCorrection(1.0, 0.0, fix.permutation, fix.data_format)
        # Scale and offset of a correction belong to the channels after the permutation.
        back = np.argsort(fix.permutation)
        scale, offset = (np.broadcast_to(v, len(back))[back] for v in (scale, offset))
    if not (np.allclose(scale, 1, atol=1e-6) and np.allclose(offset, 0, atol=1e-6)):
        values = InputCorrection(tuple(scale), tuple(offset), None, fix.data_format)
    return values, order


def undo_with(fixes: dict[str, InputCorrection | None]) -> Callable[[Inputs, slice], Inputs]:
    """Returns a function that corrects the inputs that have a correction, by name."""

    def undo(inputs: Inputs, part: slice) -> Inputs:
        corrected = {}
        for name, x in inputs.items():
            fix = fixes.get(name)
            corrected[name] = x if fix is None else np.asarray(fix(x.astype("float32")))
        return corrected

    return undo
