"""`GapRow`: one line of an account: what it is, what it costs, and what undoes it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

ACCURACY = "accuracy"
# What a row can be, in the order in which rows of equal size are listed.
KINDS = ("model", "input", "labels", "class mix", "learning", "memorised", "unexplained")
# The rows that are no fault of the data, and the rest: nothing is undone there.
NO_FAULTS = ("learning", "memorised", "unexplained")


@dataclass(frozen=True)
class GapRow:
    """One cause of a gap, measured by an experiment on samples that did not choose it.

    Args:
        kind: One of `KINDS`.
        cause: What it is, as a sentence without its full stop.
        points: What it is of the gap: 0.02 is two points of accuracy, or 2 % of the loss.
        interval: 95 % interval of the points.
        sure: Whether labels that did not choose it become likelier by more than three standard
            errors, and the points are above 0 by more than two.
        metric: `"accuracy"`, or the name of the loss; the points are then shares of its value on
            validation.
        accuracy: The metric with this row and the rows before it taken away; None if unknown.
        step: A line of Python to paste, or a sentence; None if there is nothing to do.
        operation: Name and strength of the operation that undoes it, or None.
        repaired_by: The arguments of the callable `repair`, or None.
        source: Name of the input that it is about; "" for all, or if it is about no input.
        family: What is changed: `"light"`, `"geometry"`, `"columns"` ...; "" without an operation.
    """

    kind: str
    cause: str
    points: float
    interval: tuple[float, float]
    sure: bool = False
    metric: str = ACCURACY
    accuracy: float | None = None
    step: str | None = None
    operation: tuple[str, Any] | None = None
    repaired_by: Mapping[str, Any] | None = None
    source: str = ""
    family: str = ""

    @property
    def repair(self) -> Any:
        """A callable that does to a batch what the experiment did; None if there is none.

        Returns:
            For inputs a Keras layer, `operations.repair.Repair`, that takes a batch as the model is
            fed it, `(samples, ...)`. Where the kind is `"labels"`, an object that takes a batch of
            labels. Both can be saved with `keras.saving`.
        """
        if self.repaired_by is None:
            return None
        # Rows can be read where no backend is installed, and the layer cannot.
        if self.kind == "labels":
            module = import_module("keras_shiftguard.operations.label_repair")
            return module.LabelRepair(**self.repaired_by)
        module = import_module("keras_shiftguard.operations.repair")
        return module.Repair(**self.repaired_by)

    @property
    def is_fault(self) -> bool:
        """Whether it surely costs something that can be undone or prevented."""
        return self.sure and self.kind not in NO_FAULTS

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any] | None) -> "GapRow | None":
        """Returns the row that has these fields, as JSON holds them; None for None."""
        if tree is None:
            return None
        known = {field.name: tree[field.name] for field in fields(cls) if field.name in tree}
        for name in ("interval", "operation"):
            if known.get(name) is not None:
                known[name] = tuple(known[name])
        return cls(**known)


def in_words(points: float, metric: str, interval: tuple[float, float] | None = None) -> str:
    """Returns a cost in the unit that the user watches.

    >>> in_words(0.12, "accuracy", (0.08, 0.16))
    '12.0 points of accuracy (between 8.0 and 16.0)'
    >>> in_words(0.78, "mse")
    '78 % of the loss (mse)'
    """
    if metric == ACCURACY:
        ends = f" (between {100 * interval[0]:.1f} and {100 * interval[1]:.1f})" if interval else ""
        return f"{100 * points:.1f} points of accuracy{ends}"
    ends = f", between {100 * interval[0]:.0f} and {100 * interval[1]:.0f} %" if interval else ""
    name = "" if metric == "loss" else f" ({metric})"
    return f"{100 * points:.0f} % of the loss{name}{ends}"
