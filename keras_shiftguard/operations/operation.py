"""`Operation`: one thing that can happen to data, such as blur, or two exchanged columns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_shiftguard.operations.random_numbers import Level

# A number, or a tuple of numbers if the operation needs several (the columns that are exchanged).
Strength = Any


@dataclass(frozen=True)
class Operation:
    """One thing that can happen to data, as a row of the table.

    Every part of the package that changes data reads this table: the experiments that undo a
    difference, and the augmentation of training. The strength of an operation is in its own unit.

    Args:
        name: The name in arguments, logs and plots.
        family: What is changed: `"light"`, `"colour"`, `"detail"`, `"geometry"`, `"levels"`,
            `"order"`, `"columns"`, `"series"` or `"tokens"`.
        words: A verb phrase that says what the operation does to a batch: "darkens".
        apply: A function of a batch and a strength that returns the changed batch, on the device.
            Images are float32, `(samples, height, width, channels)`, with black at 0 and white
            at 1 (see `Scale`); rows of a table are `(samples, columns)`. None for operations that
            only augmentation uses.
        strengths: Strengths that experiments try.
        unit: A phrase for a strength with its unit; the number replaces `"{:.2g}"`.
        limit: Largest strength in augmentation; 0 for operations that augmentation does not use.
        opposite: Name of the operation in the opposite direction, or "". A sample that is
            augmented gets only one of the two.
        signed: Whether augmentation chooses the direction at random for each sample.
        channels: Smallest number of channels that the operation needs.
        asked_only: Whether augmentation uses the operation only if the user names it, because it
            could make a label wrong (a mirrored 2 is not a 2).
        pool: Whether the operation needs images of the target.
        effort: Augmentation adds the operation only if it lowers the loss by at least `effort`
            times the usual minimum: 2 for operations that move or hide the object, else 1.
    """

    name: str
    family: str
    words: str
    apply: Callable[[Any, Strength], Any] | None = None
    strengths: tuple[Strength, ...] = ()
    unit: str = ""
    limit: float = 0.0
    opposite: str = ""
    signed: bool = False
    channels: int = 1
    asked_only: bool = False
    pool: bool = False
    effort: float = 1.0


def only(name: str, amount: Any, x: Any) -> Level:
    """Returns levels for the samples of `x`: `amount` for the operation `name`, else 0."""
    one = ops.ones((ops.shape(x)[0],), "float32")
    return lambda other: one * (amount if other == name else 0.0)


def evenly(run: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Returns an operation with one amount a sample as a function of images and one strength."""
    return lambda x, amount: run(x, ops.full((x.shape[0],), amount, "float32"))


def within(x: Any, y: Any) -> Any:
    """Returns `y` clipped to black and white, or to the extremes of the image in `x` beyond them.

    `x` holds the images before an operation, and `y` the same images after it.
    """
    axes = (1, 2, 3)
    floor = ops.minimum(ops.min(x, axis=axes, keepdims=True), 0.0)
    ceiling = ops.maximum(ops.max(x, axis=axes, keepdims=True), 1.0)
    return ops.clip(y, floor, ceiling)
