"""The line of Python that undoes what an operation found in a batch `x`: `x = x[:, :, ::-1]`.

A line that a user can paste into the own pipeline says more than the layer that did the experiment.
Operations without such a line (a rotation, another light) have only the layer, `Finding.repair`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras_shiftguard.account.candidates.candidates import EXCHANGED, Choice
from keras_shiftguard.io.code_lines import digits, quoted, renamed
from keras_shiftguard.operations.columns import Fill

# What prevents a loss of information, by operation; nothing undoes it.
PREVENTED = {
    "overflow": "x = np.clip(image.astype('float32') * factor, 0, 255)",
    "unknown": "Give validation to the text vectorizer of training, lowered in the same way.",
    "cut": "Give validation the length of training, in its vectorizer or in `pad_sequences`.",
    "exchange_unscaled": "Exchange these columns in validation before its scaler.",
    "blank": "Compare what these columns hold in validation and in training.",
    "clip": "Find where validation is clipped: its gain, or the range of a file format.",
}


class Batch(NamedTuple):
    """How a line names the data of a batch `x`."""

    axes: int  # number of axes of the batch, that of the samples included; 1 for a single number
    channels_first: bool = False  # whether the channels of images are the second axis
    columns: Sequence[str] = ()  # names of the columns, if the batch is a table of pandas
    entry: str | None = None  # the key of the batch, if `x` is a dict of inputs
    ends: tuple[float, float] | None = None  # the values of black and white in images

    def at(self, *which: int) -> str:
        """Returns the expression for some columns."""
        if self.axes == 1 and not self.columns:
            return "x"
        names = [quoted(self.columns[i]) if self.columns else str(i) for i in which]
        inside = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        return f"x[{inside}]" if self.columns else f"x[..., {inside}]"

    def back(self, axis: int) -> str:
        """Returns the line that reverses an axis of images, counted with the channels last."""
        return f"x = x[{':, ' * (axis + self.channels_first)}::-1]"


def fix_line(choice: Choice, batch: Batch) -> str:
    """Returns the line that does an operation to a batch; "" for operations without one.

    >>> fix_line(Choice("flip_horizontal", "geometry", 1.0), Batch(4))
    'x = x[:, :, ::-1]'
    >>> fix_line(Choice("unit", "columns", (3, 25.4, 0.0)), Batch(2))
    'x[..., 3] = x[..., 3] * 25.4'
    >>> fix_line(Choice("unit", "columns", (3, 1.0, -2.0)), Batch(2))
    'x[..., 3] = x[..., 3] - 2'
    >>> fix_line(Choice("exchange", "columns", (1, 4)), Batch(2))
    'x[..., [1, 4]] = x[..., [4, 1]]'
    >>> fix_line(Choice("unit", "columns", (0, 0.5, 0.0)), Batch(2, columns=("age", "bmi")))
    'x["age"] = x["age"] / 2'
    >>> fix_line(Choice("unit", "columns", (0, 0.5, 0.0)), Batch(1, entry="age"))
    'x["age"] = x["age"] / 2'
    >>> fix_line(Choice("invert", "light", 1.0), Batch(4, ends=(-1.0, 1.0)))
    'x = -x'
    """
    entry = batch.entry
    if choice.name == EXCHANGED:
        one, other = quoted(entry or ""), quoted(str(choice.strength))
        return f"x[{one}], x[{other}] = x[{other}], x[{one}]" if entry else ""
    write = _LINES.get(choice.name)
    line = write(choice.strength, batch) if write is not None else ""
    return line if entry is None else renamed(line, {"x": f"x[{quoted(entry)}]"})


def scaled(one: str, factor: float, offset: float) -> str:
    """Returns the line that multiplies by a factor and adds an offset, as short as possible."""
    if (factor, offset) == (-1.0, 0.0):
        return f"{one} = -{one}"
    plus = f" {'+-'[offset < 0]} {digits(abs(offset))}" if offset else ""
    if factor == 1.0:
        return f"{one} = {one}{plus}"
    by = f"/ {digits(1 / factor)}" if len(digits(1 / factor)) < len(digits(factor)) else ""
    by = by or f"* {digits(factor)}"
    return f"{one} = {one} {by}{plus}"


def _transposed(strength: Any, batch: Batch) -> str:
    return f"x = x.swapaxes({'2, 3' if batch.channels_first else '1, 2'})"


def _turned(strength: float, batch: Batch) -> str:
    return f"{batch.back(1)[:-1]}, ::-1]" if abs(strength) == 180 else ""


def _inverted(strength: float, batch: Batch) -> str:
    if batch.ends is None:
        return ""
    both = sum(batch.ends)
    return f"x = {both:.6g} - x" if both else "x = -x"


def _unwrapped(strength: float, batch: Batch) -> str:
    number = round(255 * strength)
    if batch.ends == (0.0, 255.0):
        return f"x = (x - {number}) % 256"
    return f"x = (255 * x - {number}) % 256 / 255" if batch.ends == (0.0, 1.0) else ""


def _filled(one: str, value: float | None, other: float | None) -> str:
    found = f"~np.isfinite({one})" if value is None else f"np.isclose({one}, {value:.6g})"
    return f"{one} = np.where({found}, {'np.nan' if other is None else f'{other:.6g}'}, {one})"


def _all_filled(strength: Sequence[Fill], batch: Batch) -> str:
    """Returns one line for columns with the same two values, else one for each column."""
    pair, *others = {fill[1:] for fill in strength}
    if others:
        return "; ".join(_filled(batch.at(i), *fill) for i, *fill in strength)
    return _filled(batch.at(*(column for column, _, _ in strength)), *pair)


def _recoded(strength: tuple[int, Sequence[float], Sequence[float]], batch: Batch) -> str:
    column, codes, others = strength
    one = batch.at(column)
    table = ", ".join(f"{code:.6g}: {other:.6g}" for code, other in zip(codes, others, strict=True))
    return f"{one} = np.vectorize(lambda v: {{{table}}}.get(v, v))({one})"


def _exchanged(strength: tuple[int, int], batch: Batch) -> str:
    values = ".to_numpy()" if batch.columns else ""
    return f"{batch.at(*strength)} = {batch.at(*strength[::-1])}{values}"


def _renumbered(strength: int, batch: Batch) -> str:
    return f"x = np.where(x == 0, x, np.maximum(x {'+-'[strength < 0]} {abs(strength)}, 1))"


def _all_renumbered(strength: int, batch: Batch) -> str:
    moved = f"x {'+-'[strength < 0]} {abs(strength)}"
    return f"x = {moved}" if strength > 0 else f"x = np.maximum({moved}, 0)"


# The lines, by operation. Numbers are axes of a batch, given by Keras's order of axes.
_LINES: dict[str, Callable[[Any, Batch], str]] = {
    "flip_horizontal": lambda strength, batch: batch.back(2),
    "flip_vertical": lambda strength, batch: batch.back(1),
    "transpose": _transposed,
    "rotation": _turned,
    "invert": _inverted,
    "wrap": _unwrapped,
    "swap_channels": lambda _, batch: f"x = x[{':' if batch.channels_first else '...'}, ::-1]",
    "unit": lambda strength, batch: scaled(batch.at(strength[0]), *strength[1:]),
    "refill": lambda strength, batch: _filled(batch.at(strength[0]), *strength[1:]),
    "refills": _all_filled,
    "recode": _recoded,
    "exchange": _exchanged,
    "reverse": lambda _, batch: f"x = x{'.iloc[:' if batch.columns else '[...'}, ::-1]",
    "roll": lambda by, batch: f"x{'[:]' if batch.columns else ''} = np.roll(x, {int(by)}, axis=-1)",
    "backwards": lambda strength, batch: "x = x[:, ::-1]",
    "reverse_text": lambda strength, batch: "x = x[:, ::-1]",
    "renumber": _renumbered,
    "renumber_all": _all_renumbered,
    "pad_before": lambda _, batch: 'x = keras.utils.pad_sequences(texts, maxlen, padding="pre")',
    "pad_after": lambda _, batch: 'x = keras.utils.pad_sequences(texts, maxlen, padding="post")',
}
