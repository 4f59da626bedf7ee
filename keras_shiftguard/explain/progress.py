"""Progress bar on stderr for interactive sessions."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import keras

Item = TypeVar("Item")


class Progress:
    """Counts evaluations of the model, and shows them on an interactive terminal.

    Args:
        total: The largest possible number of evaluations.
    """

    def __init__(self, total: int) -> None:
        shown = sys.stderr.isatty() and keras.config.is_interactive_logging_enabled()
        self._total = total
        self._bar = keras.utils.Progbar(total, unit_name="evaluation") if shown else None

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items, and advances the bar after each."""
        for item in items:
            yield item
            self.step()

    def step(self) -> None:
        """Advances the bar by one evaluation."""
        if self._bar is not None:
            # `Progbar` prints to stdout, which is reserved for the report.
            with contextlib.redirect_stdout(sys.stderr):
                self._bar.add(1)

    def finish(self) -> None:
        """Fills and ends the bar; some of the expected evaluations may not have been needed."""
        if self._bar is not None:
            with contextlib.redirect_stdout(sys.stderr):
                self._bar.update(self._total, finalize=True)
