"""Arguments and options that several commands share."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from keras_shiftguard_cli.reading import Pipeline

PROFILE_SAMPLES = 2000  # default of --max-samples where a profile is made


def _numbers(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...] | None
) -> tuple[float, ...] | None:
    """Converts the values of an option to numbers; called by click."""
    return None if texts is None else tuple(_number(text) for text in texts)


def _number(text: str) -> float:
    """Converts a number or a fraction such as 1/255."""
    numerator, slash, denominator = text.partition("/")
    try:
        number = float(numerator) / float(denominator) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"must be a number or a fraction such as 1/255, not {text!r}")
    return number


model = click.argument("model", type=click.Path(), metavar="MODEL")
data = click.argument("data", type=click.Path(), metavar="DATA")
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, for a program to read."
)


def reading_options(max_samples: int) -> Callable[[Any], Any]:
    """Returns a decorator that adds the options for how the user's pipeline reads DATA.

    The command gets the values of these options as one argument, `pipeline`.
    """
    options = (
        click.option(
            "--max-samples",
            type=click.IntRange(min=1),
            default=max_samples,
            show_default=True,
            metavar="N",
            help="Largest number of images, spread over the sub-folders.",
        ),
        click.option(
            "--rescale",
            callback=_numbers,
            nargs=2,
            metavar="SCALE OFFSET",
            help="Feed pixel * SCALE + OFFSET, as your own pipeline does; for example 1/255 0.",
        ),
        click.option("--bgr", is_flag=True, help="Feed the channels in B, G, R order."),
        click.option(
            "--size",
            type=click.IntRange(min=1),
            nargs=2,
            metavar="HEIGHT WIDTH",
            help="Resize image files to this. [default: the size of the model's input or of the "
            "profile's images, else 224 224]",
        ),
    )

    def add(command: Any) -> Any:
        @wraps(command)
        def run(max_samples: int, rescale: Any, bgr: bool, size: Any, **others: Any) -> Any:
            return command(pipeline=Pipeline(max_samples, rescale, bgr, size), **others)

        wrapped: Any = run
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return add
