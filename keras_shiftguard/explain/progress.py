"""A progress bar on stderr, where someone is looking."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import keras

Item = TypeVar("Item")


class Progress:
    """Counts evaluations of the model.

    Args:
        total: How many there will be.
    """

    def __init__(self, total: int) -> None:
        shown = sys.stderr.isatty() and keras.config.is_interactive_logging_enabled()
        self._bar = keras.utils.Progbar(total, unit_name="evaluation") if shown else None

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, one step of the bar after each."""
        for item in items:
            yield item
            self.step()

    def step(self) -> None:
        """One evaluation is done."""
        if self._bar is not None:
            # `Progbar` prints to stdout, which is for the table.
            with contextlib.redirect_stdout(sys.stderr):
                self._bar.add(1)
