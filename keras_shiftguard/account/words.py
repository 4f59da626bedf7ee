"""What samples look like that an operation repairs, in words: "mirrored left to right"."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_shiftguard.account.candidates.candidates import EXCHANGED, Choice
from keras_shiftguard.detection.words.sentences import MAX_NAMED
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
    phrase = _PHRASES.get(choice.name, "")
    return phrase if isinstance(phrase, str) else phrase(choice.strength, _Data(sides, columns))


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


class _Data(NamedTuple):
    """What sentences need to know of the samples, see `seems`."""

    sides: Sequence[int]
    columns: Sequence[str]

    def name(self, column: int) -> str:
        return repr(self.columns[column]) if self.columns else str(column)

    def names(self, which: Sequence[int]) -> str:
        """Returns the names of some columns; of many, the number of the last ones."""
        named = [self.name(column) for column in which[:MAX_NAMED]]
        if len(which) > MAX_NAMED:
            named[-1] = f"{len(which) - MAX_NAMED + 1} more"
        return listed(named)

    def where(self, column: int) -> str:
        """Returns the place of a column, which an input of a single number does not need."""
        return f" in column {self.name(column)}" if tuple(self.sides) != (1,) else ""

    def number(self, share: float, axis: int, noun: str) -> str:
        """Returns a share of a side as a number of pixels or steps."""
        number = max(round(abs(share) * self.sides[axis]), 1)
        return f"{number} {noun}{'s' if number > 1 else ''}"


Phrase = Callable[[Any, _Data], str]  # from a strength


def _moved(where: str, axis: int) -> Phrase:
    return lambda by, data: f"moved by about {data.number(by, axis, 'pixel')} {where}"


def _turned(strength: float, data: _Data) -> str:
    if abs(strength) == 180:
        return "turned by half"
    return f"turned by about {abs(strength):.0f} degrees"


def _sized(word: str, sign: int) -> Phrase:
    return lambda by, data: f"about {100 * abs(np.exp(sign * by) - 1):.0f} % {word}"


def _unit(strength: tuple[int, float, float], data: _Data) -> str:
    column, factor, offset = strength
    where = data.where(column)
    if (factor, offset) == (-1.0, 0.0):
        return f"of the opposite sign{where}"
    known = named_unit(factor, offset)
    if abs(np.log(factor)) < SAME_UNIT and not known:
        return f"moved by {-offset / factor:+.3g}{where}"
    units = f", as between {known}" if known else ""
    return f"in another unit{where}: {1 / factor:.3g} times as large{units}"


def _units(strength: tuple[Sequence[float], Sequence[float]], data: _Data) -> str:
    moved = [i for i, (f, o) in enumerate(zip(*strength, strict=True)) if (f, o) != (1.0, 0.0)]
    if len(moved) > max(len(strength[0]) / 2, MAX_NAMED):
        return "in other units in most of their columns (another scaler, or none)"
    return f"in other units in the columns {data.names(moved)}"


def _refilled(strength: Fill, data: _Data) -> str:
    column, value, other = strength
    where = data.where(column)
    if value is None:
        return f"partly missing{where}, where training has a value (mostly {other:.4g})"
    usual = "its values are missing there" if other is None else f"it mostly has {other:.4g}"
    return f"partly filled with {value:.4g}{where}, a value that training hardly has ({usual})"


def _all_refilled(strength: Sequence[Fill], data: _Data) -> str:
    where = f"in the columns {data.names([column for column, _, _ in strength])}"
    first, *others = {value for _, value, _ in strength}
    if others:
        return f"filled {where} otherwise than training where values were missing"
    if first is None:
        return f"partly missing {where}, where training has values"
    return f"partly filled with {first:.4g} {where}, a value that training hardly has"


def _recoded(strength: tuple[int, Sequence[float], Sequence[float]], data: _Data) -> str:
    column, codes, others = strength
    moved = [f"{one:.6g} for {other:.6g}" for one, other in zip(codes, others, strict=True)]
    more = ["..."] if len(moved) > MAX_NAMED else []
    told = ", ".join([*moved[:MAX_NAMED], *more])
    return f"coded in another order{data.where(column)} ({told})"


def _exchanged(strength: tuple[int, int], data: _Data) -> str:
    one, other = map(data.name, strength)
    return f"fed with the columns {one} and {other} exchanged"


def _exchanged_unscaled(strength: tuple[tuple[int, int], Any, Any], data: _Data) -> str:
    return f"{_exchanged(strength[0], data)} before they were scaled"


def _blank(strength: tuple[Sequence[int], Sequence[float]], data: _Data) -> str:
    names = [data.name(column) for column in strength[0]]
    if len(names) == 1:
        return f"misleading in the column {names[0]}: without its values, more is right"
    # Two columns are taken out only as the rival of their exchange.
    return (
        f"misleading in the columns {listed(names)}, perhaps exchanged: without them, more is right"
    )


def _delayed(strength: float, data: _Data) -> str:
    steps = data.number(strength, 0, "step")
    return f"moved in time: about {steps} too {'early' if strength > 0 else 'late'}"


def _resampled(what: str, how: str) -> Phrase:
    return lambda by, data: f"sampled at another rate: {what} about {by:.2g} times as {how}"


def _wrapped(strength: float, data: _Data) -> str:
    added = round(255 * strength)
    return f"overflowed as 8-bit numbers ({added} was added, and beyond white begins black)"


def _renumbered(strength: int, data: _Data) -> str:
    where = "lower" if strength > 0 else "higher"
    return f"fed with token ids that are {where} by {abs(strength)}"


# The phrases, by operation. Numbers are axes of an image. Given by their order, x before y.
_PHRASES: dict[str, str | Phrase] = {
    "shift_left": _moved("to the right", 1),
    "shift_right": _moved("to the left", 1),
    "shift_up": _moved("down", 0),
    "shift_down": _moved("up", 0),
    "rotation": _turned,
    "zoom_in": _sized("smaller", -1),
    "zoom_out": _sized("larger", 1),
    "flip_horizontal": "mirrored left to right",
    "flip_vertical": "upside down (flipped top to bottom)",
    "transpose": "transposed (rows and columns exchanged)",
    "shear": "sheared",
    "invert": "inverted",
    "wrap": _wrapped,
    "swap_channels": "fed with their channels in reverse order",
    "unit": _unit,
    "units": _units,
    "refill": _refilled,
    "refills": _all_refilled,
    "recode": _recoded,
    "exchange": _exchanged,
    "exchange_unscaled": _exchanged_unscaled,
    "blank": _blank,
    "reverse": "fed with their columns in reverse order",
    "roll": "fed with each column one place further on",
    "delay": _delayed,
    "rate": _resampled("all lasts", "long"),
    "pitch": _resampled("all frequencies are", "high"),
    "backwards": "reversed in time",
    "renumber": _renumbered,
    "renumber_all": _renumbered,
    "pad_before": "padded after the text",
    "pad_after": "padded before the text",
    EXCHANGED: lambda other, data: f"exchanged with those of input {other!r}",
    "reverse_text": "fed with their tokens in reverse order",
}
