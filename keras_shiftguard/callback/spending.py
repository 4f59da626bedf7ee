"""`Spending`: limits the measurement of costs to a small share of the training time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from keras_shiftguard.instrument.processes import has_several_processes

# Measurements may take so many seconds, or this share of the time since training began if that is
# more. In a small fit of a large network on a CPU, they would take longer than the training.
FREE_SECONDS, MAX_SHARE = 20.0, 0.1


class Spending:
    """The time that measurements with the model took in a fit, and whether more may be taken."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0.0  # seconds of finished measurements
        self._since: float | None = None  # when the running measurement began
        self._samples, self._running = 0, 0.0  # on which the model was run, and the seconds of that

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Counts the time of a measurement."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._spent += time.perf_counter() - self._since
            self._since = None

    @contextmanager
    def running(self, num_samples: int) -> Iterator[None]:
        """Counts samples on which the model is run, and the time of that."""
        start = time.perf_counter()
        yield
        self._samples += num_samples
        self._running += time.perf_counter() - start

    def allows(self) -> bool:
        """Whether more time may be taken.

        One of several processes may not decide by its own clock, because all must do the same.
        """
        return has_several_processes() or self._left() >= 0

    def affordable(self, num_samples: int, predictions: int) -> int:
        """Returns on how many of some samples an experiment can be made in the time that is left.

        Args:
            num_samples: The samples that there are.
            predictions: How often the experiment runs the model on each of them.
        """
        if has_several_processes():
            return num_samples
        seconds = predictions * self._running / max(self._samples, 1)
        return min(num_samples, int(max(self._left(), 0.0) / max(seconds, 1e-9)))

    def _left(self) -> float:
        now = time.perf_counter()
        spent = self._spent + (0.0 if self._since is None else now - self._since)
        return max(FREE_SECONDS, MAX_SHARE * (now - self._began)) - spent
