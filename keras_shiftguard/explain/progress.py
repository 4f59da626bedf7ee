"""Progress bar on stderr for interactive sessions."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

import keras

Item = TypeVar("Item")


def with_progress(items: Sequence[Item]) -> Iterator[Item]:
    """Yields items; on an interactive terminal, a bar shows how many of them are done."""
    shown = sys.stderr.isatty() and keras.config.is_interactive_logging_enabled()
    bar = keras.utils.Progbar(len(items), unit_name="evaluation") if shown else None
    for item in items:
        yield item
        if bar is not None:
            # `Progbar` prints to stdout, which is reserved for the report.
            with contextlib.redirect_stdout(sys.stderr):
                bar.add(1)
