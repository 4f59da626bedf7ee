"""The line of Python that undoes what an operation found in a batch `x`: `x = x[:, :, ::-1]`.

A line that a user can paste into the own pipeline says more than the layer that did the experiment.
Operations without such a line (a rotation, another light) have only the layer, `Finding.repair`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras_shiftguard.detection.causes.explanation import digits
from keras_shiftguard.detection.code_lines import quoted, renamed
from keras_shiftguard.experiments.input_candidates import EXCHANGED
from keras_shiftguard.experiments.promise import Choice
from keras_shiftguard.operations.columns import Fill

# What prevents a loss of information, by operation; nothing undoes it.
PREVENTED = {
    "overflow": "x = np.clip(image.astype('float32') * factor, 0, 255)",
    "unknown": "Give validation to the text vectorizer of training, lowered in the same way.",
    "cut": "Give validation the length of training, in its vectorizer or in `pad_sequences`.",
    "blank": "Compare what these columns hold in validation and in training.",
    "clip": "Find where validation is clipped: its gain, or the range of a file format.",
}
Write = Callable[[Any, int, bool], str]  # from strength, number of axes, and channels first


def fix_line(
    choice: Choice,
    axes: int,
    channels_first: bool = False,
    columns: Sequence[str] = (),
    entry: str | None = None,
    ends: tuple[float, float] | None = None,
) -> str:
    """Returns the line for a batch `x`; "" for operations without one.

    >>> fix_line(Choice("flip_horizontal", "geometry", 1.0), 4)
    'x = x[:, :, ::-1]'
    >>> fix_line(Choice("unit", "columns", (3, 25.4, 0.0)), 2)
    'x[..., 3] = x[..., 3] * 25.4'
    >>> fix_line(Choice("unit", "columns", (3, 1.0, -2.0)), 2)
    'x[..., 3] = x[..., 3] - 2'
    >>> fix_line(Choice("exchange", "columns", (1, 4)), 2)
    'x[..., [1, 4]] = x[..., [4, 1]]'
    >>> fix_line(Choice("unit", "columns", (0, 0.5, 0.0)), 2, columns=("age", "bmi"))
    'x["age"] = x["age"] / 2'
    >>> fix_line(Choice("unit", "columns", (0, 0.5, 0.0)), 1, entry="age")
    'x["age"] = x["age"] / 2'
    >>> fix_line(Choice("invert", "light", 1.0), 4, ends=(-1.0, 1.0))
    'x = -x'

    Args:
        choice: The operation that won the accuracy back, and its strength.
        axes: Number of axes of the batch, that of the samples included; 1 for a single number.
        channels_first: Whether the channels of images are the second axis.
        columns: Names of the columns, if the batch is a table of pandas.
        entry: The key of the batch, if `x` is a dict of inputs.
        ends: The values of black and white in images.
    """
    if choice.name == EXCHANGED:
        one, other = quoted(entry or ""), quoted(str(choice.strength))
        return f"x[{one}], x[{other}] = x[{other}], x[{one}]" if entry else ""
    if ends is not None and choice.name in _OF_LEVELS:
        line = _OF_LEVELS[choice.name](choice.strength, *ends)
    elif columns and choice.name in _OF_TABLES:
        line = _OF_TABLES[choice.name](choice.strength, [quoted(name) for name in columns])
    else:
        write = _LINES.get(choice.name)
        line = write(choice.strength, axes, channels_first) if write is not None else ""
    return line if entry is None else renamed(line, {"x": f"x[{quoted(entry)}]"})


def _just(line: str) -> Write:
    return lambda strength, axes, channels_first: line


def _reversed_axis(axis: int) -> Write:
    """Returns the line that reverses an axis of images, counted with the channels last."""

    def write(strength: Any, axes: int, channels_first: bool) -> str:
        return f"x = x[{':, ' * (axis + channels_first)}::-1]"

    return write


def _transposed(strength: Any, axes: int, channels_first: bool) -> str:
    return f"x = x.swapaxes({'2, 3' if channels_first else '1, 2'})"


def _turned(strength: float, axes: int, channels_first: bool) -> str:
    if abs(strength) != 180:
        return ""
    return f"x = x[{':, ' * (1 + channels_first)}::-1, ::-1]"


def _channels(strength: Any, axes: int, channels_first: bool) -> str:
    return "x = x[:, ::-1]" if channels_first else "x = x[..., ::-1]"


def _unit(strength: tuple[int, float, float], axes: int, channels_first: bool) -> str:
    column, factor, offset = strength
    return scaled(f"x[..., {column}]" if axes > 1 else "x", factor, offset)


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


def _refilled(strength: Fill, axes: int, channels_first: bool) -> str:
    column, value, other = strength
    return _filled(f"x[..., {column}]" if axes > 1 else "x", value, other)


def _filled(one: str, value: float | None, other: float | None) -> str:
    found = f"~np.isfinite({one})" if value is None else f"np.isclose({one}, {value:.6g})"
    return f"{one} = np.where({found}, {'np.nan' if other is None else f'{other:.6g}'}, {one})"


def _all_refilled(strength: Sequence[Fill], axes: int, channels_first: bool) -> str:
    columns = [str(column) for column in range(1 + max(column for column, _, _ in strength))]
    return _all_filled("x[..., {}]", strength, columns)


def _all_filled(place: str, strength: Sequence[Fill], names: Sequence[str]) -> str:
    """Returns one line for columns with the same two values, else one for each column."""
    (value, other), *others = {fill[1:] for fill in strength}
    if others:
        return "; ".join(_filled(place.format(names[i]), *pair) for i, *pair in strength)
    every = ", ".join(names[column] for column, _, _ in strength)
    return _filled(place.format(f"[{every}]"), value, other)


def _recoded(strength: tuple[int, Any, Any], axes: int, channels_first: bool) -> str:
    return _by_table(f"x[..., {strength[0]}]" if axes > 1 else "x", *strength[1:])


def _by_table(one: str, codes: Sequence[float], others: Sequence[float]) -> str:
    table = ", ".join(f"{code:.6g}: {other:.6g}" for code, other in zip(codes, others, strict=True))
    return f"{one} = np.vectorize(lambda v: {{{table}}}.get(v, v))({one})"


def _exchanged(strength: tuple[int, int], axes: int, channels_first: bool) -> str:
    one, other = strength
    return f"x[..., [{one}, {other}]] = x[..., [{other}, {one}]]"


def _rolled(strength: int, axes: int, channels_first: bool) -> str:
    return f"x = np.roll(x, {int(strength)}, axis=-1)"


def _renumbered(strength: int, axes: int, channels_first: bool) -> str:
    sign = "+-"[strength < 0]
    return f"x = np.where(x == 0, x, np.maximum(x {sign} {abs(strength)}, 1))"


def _all_renumbered(strength: int, axes: int, channels_first: bool) -> str:
    sign = "+-"[strength < 0]
    moved = f"x {sign} {abs(strength)}"
    return f"x = {moved}" if strength > 0 else f"x = np.maximum({moved}, 0)"


def _named_exchange(strength: tuple[int, int], names: Sequence[str]) -> str:
    one, other = (names[column] for column in strength)
    return f"x[[{one}, {other}]] = x[[{other}, {one}]].to_numpy()"


def _inverted(strength: float, black: float, white: float) -> str:
    return f"x = {black + white:.6g} - x" if black + white else "x = -x"


def _unwrapped(strength: float, black: float, white: float) -> str:
    number = round(255 * strength)
    if (black, white) == (0.0, 255.0):
        return f"x = (x - {number}) % 256"
    return f"x = (255 * x - {number}) % 256 / 255" if (black, white) == (0.0, 1.0) else ""


# The same for images, from strength, black and white.
_OF_LEVELS: dict[str, Callable[[Any, float, float], str]] = {
    "invert": _inverted,
    "wrap": _unwrapped,
}
# The same for tables of pandas, from strength and the quoted names of the columns. Given by the
# order of axes.
_OF_TABLES: dict[str, Callable[[Any, Sequence[str]], str]] = {
    "unit": lambda strength, names: scaled(f"x[{names[strength[0]]}]", *strength[1:]),
    "refill": lambda strength, names: _filled(f"x[{names[strength[0]]}]", *strength[1:]),
    "refills": lambda strength, names: _all_filled("x[{}]", strength, names),
    "recode": lambda strength, names: _by_table(f"x[{names[strength[0]]}]", *strength[1:]),
    "exchange": _named_exchange,
    "reverse": lambda strength, names: "x = x.iloc[:, ::-1]",
    "roll": lambda strength, names: f"x[:] = np.roll(x, {int(strength)}, axis=-1)",
}
# The lines, by operation. Numbers are axes of a batch, given by Keras's order of axes.
_LINES: dict[str, Write] = {
    "flip_horizontal": _reversed_axis(2),
    "flip_vertical": _reversed_axis(1),
    "transpose": _transposed,
    "rotation": _turned,
    "swap_channels": _channels,
    "unit": _unit,
    "refill": _refilled,
    "refills": _all_refilled,
    "recode": _recoded,
    "exchange": _exchanged,
    "reverse": _just("x = x[..., ::-1]"),
    "roll": _rolled,
    "backwards": _just("x = x[:, ::-1]"),
    "reverse_text": _just("x = x[:, ::-1]"),
    "renumber": _renumbered,
    "renumber_all": _all_renumbered,
    "pad_before": _just('x = keras.utils.pad_sequences(texts, maxlen, padding="pre")'),
    "pad_after": _just('x = keras.utils.pad_sequences(texts, maxlen, padding="post")'),
}
