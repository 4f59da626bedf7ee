"""Operations on columns of a table: another unit, exchanged columns, another order.

Rows are float32, `(samples, columns)`. For series, `(samples, times, channels)`, a column is a
channel. A strength is a tuple of numbers, so it can be stored and applied to other rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.operations.operation import Operation

# Factors between units that people mix up, with the two units. Given by the definitions of the
# units.
UNITS = {
    10.0: "mm and cm",
    100.0: "cm and m, or a share and percent",
    1000.0: "g and kg, or m and km",
    25.4: "mm and inches",
    2.54: "cm and inches",
    0.3048: "m and feet",
    1.609344: "km and miles",
    0.45359237: "kg and pounds",
    60.0: "seconds and minutes",
    3600.0: "seconds and hours",
    24.0: "hours and days",
    12.0: "months and years",
    3.6: "m/s and km/h",
    255.0: "0..255 and 0..1",
}

# Units with another zero: a factor and an offset, `other = unit * factor + offset`. Given by the
# definitions of the scales.
ZEROS = {
    (1.8, 32.0): "Celsius and Fahrenheit",
    (1.0, 273.15): "Celsius and Kelvin",
}
# Units with another zero in both directions. Given by `ZEROS`.
LINEAR = ZEROS | {(1 / k, -offset / k): words for (k, offset), words in ZEROS.items()}
SAME = 1e-6  # values that are nearer, in units of their size, are one value. Given by float32.


def _linear(x: Any, strength: tuple[int, float, float]) -> Any:
    """Multiplies a column by a factor and adds an offset."""
    column, factor, offset = strength
    factors, offsets = np.ones(x.shape[-1]), np.zeros(x.shape[-1])
    factors[column], offsets[column] = factor, offset
    return _all_linear(x, (factors.tolist(), offsets.tolist()))


def _all_linear(x: Any, strength: tuple[Sequence[float], Sequence[float]]) -> Any:
    """Multiplies each column by a factor of its own and adds an offset of its own."""
    factors, offsets = (np.asarray(numbers, "float32") for numbers in strength)
    return x * ops.convert_to_tensor(factors) + ops.convert_to_tensor(offsets)


# A column, the value that its missing values have, and the one that they should have; None stands
# for values that are not finite.
Fill = tuple[int, float | None, float | None]


def _refilled(x: Any, strength: Fill) -> Any:
    """Replaces one value of a column, as where missing values were filled with another one."""
    column, value, other = strength
    is_value = ops.logical_not(ops.isfinite(x)) if value is None else _is_code(x, value)
    new = ops.cast(float("nan") if other is None else other, x.dtype)
    return ops.where(ops.logical_and(_is_column(x, column), is_value), new, x)


def _all_refilled(x: Any, strength: Sequence[Fill]) -> Any:
    """Replaces one value of each of several columns."""
    for each in strength:
        x = _refilled(x, each)
    return x


def _recoded(x: Any, strength: tuple[int, Sequence[float], Sequence[float]]) -> Any:
    """Replaces each code of a column by another one, as where an encoder was fitted again."""
    column, codes, others = strength
    found = x
    for code, other in zip(codes, others, strict=True):
        is_here = ops.logical_and(_is_column(x, column), _is_code(x, code))
        found = ops.where(is_here, ops.cast(other, x.dtype), found)
    return found


def _is_column(x: Any, column: int) -> Any:
    return ops.convert_to_tensor(np.arange(x.shape[-1]) == column)


def _is_code(x: Any, code: float) -> Any:
    return ops.abs(x - code) <= SAME * max(abs(code), 1.0)


def _exchanged(x: Any, strength: tuple[int, int]) -> Any:
    one, other = strength
    order = np.arange(x.shape[-1])
    order[[one, other]] = order[[other, one]]
    return ops.take(x, ops.convert_to_tensor(order.astype("int32")), axis=-1)


def _exchanged_unscaled(
    x: Any, strength: tuple[tuple[int, int], tuple[float, float], tuple[float, float]]
) -> Any:
    """Exchanges two columns, and then multiplies each by a factor and adds an offset."""
    which, *numbers = strength
    factors, offsets = np.ones(x.shape[-1]), np.zeros(x.shape[-1])
    for values, new in zip((factors, offsets), numbers, strict=True):
        values[list(which)] = new
    return _all_linear(_exchanged(x, which), (factors.tolist(), offsets.tolist()))


def _blanked(x: Any, strength: tuple[Sequence[int], Sequence[float]]) -> Any:
    """Replaces columns by a number each, as if they were not known."""
    columns, numbers = strength
    values, is_blank = np.zeros(x.shape[-1], "float32"), np.zeros(x.shape[-1], bool)
    values[list(columns)], is_blank[list(columns)] = numbers, True
    return ops.where(ops.convert_to_tensor(is_blank), ops.convert_to_tensor(values), x)


ALL_UNITS = Operation("units", "columns", "changes the units of all columns", _all_linear)
# Strengths that experiments try; those of units are found from the data. Conventions.
OPERATIONS = (
    Operation("unit", "columns", "changes the unit of a column", _linear),
    ALL_UNITS,
    Operation("refill", "columns", "fills missing values otherwise", _refilled),
    Operation("refills", "columns", "fills missing values of columns otherwise", _all_refilled),
    Operation("recode", "columns", "gives categories other codes", _recoded),
    Operation("exchange", "columns", "exchanges two columns", _exchanged),
    Operation(
        "exchange_unscaled",
        "columns",
        "exchanges two columns as they were before a scaler",
        _exchanged_unscaled,
    ),
    Operation("blank", "columns", "takes columns out", _blanked),
    Operation("reverse", "columns", "reverses the columns", lambda x, _: ops.flip(x, -1), (1,)),
    Operation(
        "roll", "columns", "moves the columns on", lambda x, n: ops.roll(x, int(n), -1), (-1, 1)
    ),
)


def named_unit(factor: float, offset: float = 0.0) -> str:
    """Returns the two units that differ by this map, such as "mm and inches"; "" for other maps.

    >>> named_unit(25.4), named_unit(1 / 25.4), named_unit(7.0), named_unit(1.8, 32.0)
    ('mm and inches', 'mm and inches', '', 'Celsius and Fahrenheit')
    """
    for known, words in LINEAR.items():
        if np.allclose((factor, offset), known, rtol=1e-4):
            return words
    for single, words in () if offset else UNITS.items():
        if np.isclose(factor, single, rtol=1e-4) or np.isclose(factor, 1 / single, rtol=1e-4):
            return words
    return ""
