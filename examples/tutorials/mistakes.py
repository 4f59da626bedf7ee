"""Mistakes that people make with validation data, and the words that would name each of them."""

from collections.abc import Callable

import numpy as np

from tutorials.tutorial import Mistake


def of_inputs(
    name: str, change: Callable, cause: str, step: str, column: str | int | None = None
) -> Mistake:
    """Returns a mistake in `x`, or in one column or input of it."""

    def changed(x, y):
        if column is None:
            return change(x), y
        if isinstance(x, dict):
            return {**x, column: change(x[column])}, y
        x = x.copy()
        x[..., column] = change(x[..., column])
        return x, y

    return Mistake(name, changed, cause, step)


SCALE = r"255|scale|range 0|0\.\.255|\[0, 1\]|times as large"


def scaled(factor: float = 255) -> Mistake:
    return of_inputs(
        "other scale", lambda x: x * factor, SCALE, r"/ ?255|Rescaling|x(_val)? / |divide"
    )


def scaled_twice() -> Mistake:
    words = r"255|scaled twice|rescaled"
    return of_inputs(
        "scaled twice", lambda x: x / 255, words, r"\* ?255|Rescaling|x(_val)? \* |once"
    )


def overflowing() -> Mistake:
    def change(x):
        return ((x * 255 * 1.5).astype("int64") % 256).astype("float32") / 255

    return of_inputs("uint8 overflow", change, r"wrap|overflow|modulo", r"clip|wrap|overflow")


def bgr() -> Mistake:
    words = r"BGR|channel|red and blue"
    return of_inputs("BGR", lambda x: np.ascontiguousarray(x[..., ::-1]), words, r"::-1|BGR|RGB")


def transposed() -> Mistake:
    words = r"transpos|rows and columns|height and width"
    step = r"transpos|swapaxes|exchange|rows and columns"
    return of_inputs("height and width exchanged", lambda x: x.swapaxes(1, 2), words, step)


def upside_down() -> Mistake:
    words = r"upside|flip|mirror|turned"
    return of_inputs("upside down", lambda x: x[:, ::-1].copy(), words, words)


def half_flat() -> Mistake:
    def change(x):
        x = x.copy()
        x[::2] = 0
        return x

    words = r"flat|all equal|black|broken|one value|same value|constant"
    return of_inputs("half of the files flat", change, words, r"files|flat|broken|empty")


def labels_exchanged(first: int = 0, second: int = 1) -> Mistake:
    def change(x, y):
        changed = np.where(y == first, second, np.where(y == second, first, y))
        return x, changed.astype(y.dtype)

    words = rf"(class|label)\D*{first}\D*{second}|labels? .*(exchanged|swapped|wrong)|relabel"
    return Mistake("labels exchanged", change, words, r"label|class_names|order of the classes")


def labels_shifted() -> Mistake:
    words = r"label|target|do not belong|row"
    change = lambda x, y: (x, np.roll(y, 1, axis=0))  # noqa: E731
    return Mistake("labels shifted by a row", change, words, r"label|order|shuffl|row")


def class_mix(keep: Callable) -> Mistake:
    """Returns the mistake of another class mix: `keep(y)` are the samples that stay."""

    def change(x, y):
        chosen = np.flatnonzero(keep(y))
        if isinstance(x, dict):
            return {name: column[chosen] for name, column in x.items()}, y[chosen]
        return x[chosen], y[chosen]

    return Mistake("other class mix", change, r"class|label", r"class|stratif|mix|weight")


def leaked(train_x, train_y, share: float = 0.5) -> Mistake:
    """Returns the mistake of a validation of which a share is copied from training."""

    def change(x, y):
        count = int(share * len(y))
        y = y.copy()
        y[:count] = train_y[:count]
        if isinstance(x, dict):
            x = {name: column.copy() for name, column in x.items()}
            for name, column in x.items():
                column[:count] = train_x[name][:count]
        else:
            x = x.copy()
            x[:count] = train_x[:count]
        return x, y

    words = r"same samples|copied|copies|leak|also in training|in both"
    return Mistake("half copied from training", change, words, r"split|remove|copies|leak|both")


def unit(column, factor: float, offset: float = 0.0, name: str = "other unit") -> Mistake:
    words = r"unit|times as large|factor|multiplied|scale"
    change = lambda v: (v * factor + offset).astype(v.dtype)  # noqa: E731
    return of_inputs(name, change, words, r"unit|/ |\* |divide|multipl", column)


def filled(column, value: float, share: float = 0.4) -> Mistake:
    """Returns the mistake of a missing value that is filled with another value."""

    def change(v):
        v = v.copy()
        v[np.random.default_rng(0).random(len(v)) < share] = value
        return v

    words = r"missing|filled|fill|one value|same value"
    return of_inputs("missing filled otherwise", change, words, r"missing|fill|impute", column)


def columns_exchanged(first, second) -> Mistake:
    def change(x):
        if isinstance(x, dict):
            return {**x, first: x[second], second: x[first]}
        order = np.arange(x.shape[-1])
        order[[first, second]] = order[[second, first]]
        return x[..., order]

    words = r"exchang|swap|other order|order of (the )?columns"
    return of_inputs("columns exchanged", change, words, r"exchang|swap|order")


def recoded(column, classes: int) -> Mistake:
    words = r"categor|coded|codes|renumber|other id|vocabular"
    change = lambda v: ((v + 1) % classes).astype(v.dtype)  # noqa: E731
    return of_inputs("categories coded otherwise", change, words, r"cod|vocabular|order", column)


def other_vocabulary(shift: int = 1, size: int = 2000) -> Mistake:
    def change(x):
        return np.where(x > 1, (x - 2 + shift) % (size - 2) + 2, x).astype(x.dtype)

    words = r"vocabular|renumber|ids? .*(moved|by|higher|lower)|other id|token ids"
    return of_inputs("other vocabulary", change, words, r"vocabular|ids|tokeni")


def padded_before() -> Mistake:
    def change(x):
        rows = [np.roll(row, int((row == 0).sum())) for row in x]
        return np.stack(rows)

    words = r"pad"
    return of_inputs("padded on the other side", change, words, r"pad")


def unknown_words(share: float = 0.4) -> Mistake:
    """Returns the mistake of a text that was not lowered: many words are unknown (id 1)."""

    def change(x):
        hit = np.random.default_rng(0).random(x.shape) < share
        return np.where(hit & (x > 1), 1, x).astype(x.dtype)

    words = r"unknown|\[UNK\]|out of vocabulary|casing|token 1\b|id 1\b"
    return of_inputs("not lowered, words unknown", change, words, r"lower|unknown|vocabular|casing")


def delayed(steps: int) -> Mistake:
    change = lambda x: np.roll(x, steps, axis=1)  # noqa: E731
    return of_inputs("delayed", change, r"delay|shifted in time|late|time", r"delay|align|time")


def resampled(factor: float) -> Mistake:
    def change(x):
        at = (np.arange(x.shape[1]) * factor % x.shape[1]).astype("int64")
        return x[:, at]

    words = r"rate|faster|slower|resampl|frequenc"
    return of_inputs("other sampling rate", change, words, r"rate|resampl")


def clipped(low: float, high: float) -> Mistake:
    words = r"clip|cut off|saturat|maximum"
    return of_inputs("clipped", lambda x: np.clip(x, low, high), words, r"clip|cut|range")


def gain(factor: float) -> Mistake:
    words = r"times|gain|louder|quieter|scale|loud|factor|unit"
    return of_inputs("other gain", lambda x: x * factor, words, r"/ |\* |gain|normali[sz]|scale")


def on_targets(mistake: Mistake) -> Mistake:
    """Returns a mistake of the inputs as one of the targets."""

    def change(x, y):
        y, _ = mistake.change(y, None)
        return x, y

    words = r"target|mask|label"
    return Mistake(f"targets: {mistake.name}", change, words, mistake.step)
