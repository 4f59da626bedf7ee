"""What samples look like that an operation repairs, in words: "mirrored left to right"."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_shiftguard.detection.sentences import MAX_NAMED
from keras_shiftguard.experiments.input_candidates import EXCHANGED
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.columns import Fill, named_unit
from tensorboard_plugin_shiftguard.words import listed

# A column whose deviation is larger by no more than this has the same unit. A convention.
SAME_UNIT = 0.1
# How samples look if an operation of a family repairs them together with another one. Alone, such
# an operation is named by the attributes that differ.
BY_FAMILY = {
    "light": "in another scale or light",
    "colour": "of other colours",
    "detail": "of another sharpness",
}


def seems(choice: Choice, sides: Sequence[int], columns: Sequence[str] = ()) -> str:
    """Returns how samples look that the operation repairs, to follow "validation images are".

    >>> seems(Choice("shift_left", "geometry", 2 / 28), (28, 28))
    'moved by about 2 pixels to the right'
    >>> seems(Choice("zoom_in", "geometry", 0.14), (28, 28))
    'about 13 % smaller'
    >>> seems(Choice("unit", "columns", (3, 25.4, 0.0)), (8,))
    'in another unit in column 3: 0.0394 times as large, as between mm and inches'
    >>> seems(Choice("exchange", "columns", (0, 1)), (8,), ("age", "bmi"))
    "fed with the columns 'age' and 'bmi' exchanged"

    Args:
        choice: The operation and its strength.
        sides: Height and width of the images in pixels; of tables the number of columns.
        columns: Names of the columns of a table; empty if they have none.
    """
    if choice.name in _OF_COLUMNS:
        return _OF_COLUMNS[choice.name](choice.strength, _Columns(tuple(sides) != (1,), columns))
    return _PHRASES[choice.name](choice.strength, sides) if choice.name in _PHRASES else ""


def all_seem(chain: Sequence[Choice], sides: Sequence[int], columns: Sequence[str] = ()) -> str:
    """Returns how samples look that several operations repair together.

    >>> moved, dark = Choice("shift_left", "geometry", 2 / 28), Choice("gain", "light", 2.0)
    >>> all_seem([dark, moved], (28, 28))
    'moved by about 2 pixels to the right and in another scale or light'
    """
    phrases = [seems(choice, sides, columns) for choice in chain]
    named = [phrase for phrase in phrases if phrase]
    if len(chain) > 1:
        families = [c.family for c, phrase in zip(chain, phrases, strict=True) if not phrase]
        named += [BY_FAMILY[family] for family in families if family in BY_FAMILY]
    return " and ".join(named)


class _Columns(NamedTuple):
    """The columns of a table, for sentences; `are_several` is False for an input of one number."""

    are_several: bool
    names: Sequence[str]

    def name(self, column: int) -> str:
        return repr(self.names[column]) if self.names else str(column)

    def where(self, column: int) -> str:
        return f" in column {self.name(column)}" if self.are_several else ""


def _moved(where: str, axis: int) -> Callable[[Any, Sequence[int]], str]:
    def phrase(strength: float, sides: Sequence[int]) -> str:
        number = max(round(abs(strength) * sides[axis]), 1)
        return f"moved by about {number} pixel{'s' if number > 1 else ''} {where}"

    return phrase


def _just(words: str) -> Callable[[Any, Sequence[int]], str]:
    return lambda strength, sides: words


def _turned(strength: float, sides: Sequence[int]) -> str:
    if abs(strength) == 180:
        return "turned by half"
    return f"turned by about {abs(strength):.0f} degrees"


def _sized(word: str) -> Callable[[Any, Sequence[int]], str]:
    def phrase(strength: float, sides: Sequence[int]) -> str:
        factor = np.exp(-strength if word == "smaller" else strength)
        return f"about {100 * abs(factor - 1):.0f} % {word}"

    return phrase


def _unit(strength: tuple[int, float, float], table: _Columns) -> str:
    column, factor, offset = strength
    where = table.where(column)
    if (factor, offset) == (-1.0, 0.0):
        return f"of the opposite sign{where}"
    if abs(np.log(factor)) < SAME_UNIT and not named_unit(factor, offset):
        return f"moved by {-offset / factor:+.3g}{where}"
    known = named_unit(factor, offset)
    units = f", as between {known}" if known else ""
    return f"in another unit{where}: {1 / factor:.3g} times as large{units}"


def _units(strength: tuple[Sequence[float], Sequence[float]], table: _Columns) -> str:
    moved = [i for i, (f, o) in enumerate(zip(*strength, strict=True)) if (f, o) != (1.0, 0.0)]
    if len(moved) > max(len(strength[0]) / 2, MAX_NAMED):
        return "in other units in most of their columns (another scaler, or none)"
    named = [table.name(i) for i in moved[:MAX_NAMED]]
    if len(moved) > MAX_NAMED:
        named[-1] = f"{len(moved) - MAX_NAMED + 1} more"
    return f"in other units in the columns {listed(named)}"


def _refilled(strength: Fill, table: _Columns) -> str:
    column, value, other = strength
    where = table.where(column)
    if value is None:
        return f"partly missing{where}, where training has a value (mostly {other:.4g})"
    usual = "its values are missing there" if other is None else f"it mostly has {other:.4g}"
    return f"partly filled with {value:.4g}{where}, a value that training hardly has ({usual})"


def _all_refilled(strength: Sequence[Fill], table: _Columns) -> str:
    named = [table.name(column) for column, _, _ in strength]
    if len(named) > MAX_NAMED:
        named[MAX_NAMED - 1 :] = [f"{len(named) - MAX_NAMED + 1} more"]
    where = f"in the columns {listed(named)}"
    first, *others = {value for _, value, _ in strength}
    if others:
        return f"filled {where} otherwise than training where values were missing"
    if first is None:
        return f"partly missing {where}, where training has values"
    return f"partly filled with {first:.4g} {where}, a value that training hardly has"


def _recoded(strength: tuple[int, Sequence[float], Sequence[float]], table: _Columns) -> str:
    column, codes, others = strength
    moved = [f"{one:.6g} for {other:.6g}" for one, other in zip(codes, others, strict=True)]
    more = ["..."] if len(moved) > MAX_NAMED else []
    told = ", ".join([*moved[:MAX_NAMED], *more])
    return f"coded in another order{table.where(column)} ({told})"


def _exchanged(strength: tuple[int, int], table: _Columns) -> str:
    one, other = map(table.name, strength)
    return f"fed with the columns {one} and {other} exchanged"


def _blank(strength: tuple[Sequence[int], Sequence[float]], table: _Columns) -> str:
    names = [table.name(column) for column in strength[0]]
    if len(names) == 1:
        return f"misleading in the column {names[0]}: without its values, more is right"
    # Two columns are taken out only as the rival of their exchange.
    return (
        f"misleading in the columns {listed(names)}, perhaps exchanged: without them, more is right"
    )


_OF_COLUMNS: dict[str, Callable[[Any, _Columns], str]] = {
    "unit": _unit,
    "units": _units,
    "refill": _refilled,
    "refills": _all_refilled,
    "recode": _recoded,
    "exchange": _exchanged,
    "blank": _blank,
}

# What samples look like after an operation that loses information.
AFTER = {
    "overflow": "overflowed as 8-bit numbers (beyond white begins black)",
    "noise": "noisier",
    "blur": "blurred",
    "median": "smoothed",
    "coarsen": "of lower resolution",
    "resolution": "of lower resolution",
    "blocking": "compressed more",
    "rough": "noisier",
    "smooth": "smoother",
    "cut": "cut after {} tokens",
    "clip": "clipped to {:.3g} to {:.3g}",
    "unknown": "full of unknown words: token {} in place of {:.0%} of the others",
}


def seems_after(choice: Choice) -> str:
    """Returns how samples look after the operation, to follow "validation samples are".

    >>> seems_after(Choice("clip", "lost", (-1.0, 1.0)))
    'clipped to -1 to 1'
    """
    numbers = choice.strength if isinstance(choice.strength, tuple) else (choice.strength,)
    return AFTER.get(choice.name, "").format(*numbers)


def _delayed(strength: float, sides: Sequence[int]) -> str:
    number = max(round(abs(strength) * sides[0]), 1)
    steps = f"{number} step{'s' if number > 1 else ''}"
    return f"moved in time: about {steps} too {'early' if strength > 0 else 'late'}"


def _resampled(strength: float, sides: Sequence[int]) -> str:
    return f"sampled at another rate: all lasts about {strength:.2g} times as long"


def _transposed(strength: float, sides: Sequence[int]) -> str:
    return f"sampled at another rate: all frequencies are about {strength:.2g} times as high"


def _wrapped(strength: float, sides: Sequence[int]) -> str:
    added = round(255 * strength)
    return f"overflowed as 8-bit numbers ({added} was added, and beyond white begins black)"


def _renumbered(strength: int, sides: Sequence[int]) -> str:
    where = "lower" if strength > 0 else "higher"
    return f"fed with token ids that are {where} by {abs(strength)}"


# The phrases, by operation. Numbers are axes of an image. Given by their order, x before y.
_PHRASES: dict[str, Callable[[Any, Sequence[int]], str]] = {
    "shift_left": _moved("to the right", 1),
    "shift_right": _moved("to the left", 1),
    "shift_up": _moved("down", 0),
    "shift_down": _moved("up", 0),
    "rotation": _turned,
    "zoom_in": _sized("smaller"),
    "zoom_out": _sized("larger"),
    "flip_horizontal": _just("mirrored left to right"),
    "flip_vertical": _just("upside down (flipped top to bottom)"),
    "transpose": _just("transposed (rows and columns exchanged)"),
    "shear": _just("sheared"),
    "invert": _just("inverted"),
    "wrap": _wrapped,
    "swap_channels": _just("fed with their channels in reverse order"),
    "reverse": _just("fed with their columns in reverse order"),
    "roll": _just("fed with each column one place further on"),
    "delay": _delayed,
    "rate": _resampled,
    "pitch": _transposed,
    "backwards": _just("reversed in time"),
    "renumber": _renumbered,
    "renumber_all": _renumbered,
    "pad_before": _just("padded after the text"),
    "pad_after": _just("padded before the text"),
    EXCHANGED: lambda other, sides: f"exchanged with those of input {other!r}",
    "reverse_text": _just("fed with their tokens in reverse order"),
}
