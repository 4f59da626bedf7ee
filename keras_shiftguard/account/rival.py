"""`Rival`: one thing that may be wrong and can be undone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_shiftguard.account.samples import Half


@dataclass(frozen=True)
class Undoing:
    """How a rival undoes itself, as it was fitted on some samples.

    Args:
        apply: From samples to repaired samples.
        strength: What was fitted, such as the ids of classes; None if there is nothing to fit.
        operation: Name and strength of an operation of the table; None for others.
        cause: What samples look like, as a sentence without its full stop.
        step: A line of Python, or a sentence.
        repaired_by: The arguments of `GapRow.repair`; None without one.
        share: Share of labels that fit nothing; 0 for all others.
    """

    apply: Callable[[Half], Half]
    strength: Any = None
    operation: tuple[str, Any] | None = None
    cause: str = ""
    step: str | None = None
    repaired_by: dict[str, Any] | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Rival:
    """One thing that may be wrong: the model, an input or the labels.

    Args:
        kind: `"model"`, `"input"` or `"labels"`.
        name: Its name, the same on both halves.
        family: Both halves must choose the same family: light, geometry, columns ...
        fit: From the samples that choose to how it is undone.
        source: Name of the input that it changes.
        is_free: Whether it needs no further prediction.
        is_simple: Whether it always competes, however little it wins on the few first samples.
        is_once: Whether it cannot be undone twice.
    """

    kind: str
    name: str
    family: str
    fit: Callable[[Half], Undoing]
    source: str = ""
    is_free: bool = False
    is_once: bool = False
    is_simple: bool = False


def both(one: Rival, other: Rival) -> Rival:
    """Returns two rivals at once: inverted images with renamed labels win nothing alone."""

    def fit(half: Half) -> Undoing:
        first = one.fit(half)
        second = other.fit(first.apply(half))
        return Undoing(
            lambda samples: second.apply(first.apply(samples)), (first, second), cause="both"
        )

    family = f"{one.family} and {other.family}"
    return Rival("pair", f"{one.name} and {other.name}", family, fit, one.source)
