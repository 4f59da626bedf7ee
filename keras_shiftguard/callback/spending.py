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

    def allows(self, num_samples: int = 0) -> bool:
        """Whether the model may be run on so many more samples, or at all.

        One of several processes may not decide by its own clock, because all must do the same.
        """
        if has_several_processes():
            return True
        now = time.perf_counter()
        spent = self._spent + (0.0 if self._since is None else now - self._since)
        needed = num_samples * self._running / max(self._samples, 1)
        return spent + needed <= max(FREE_SECONDS, MAX_SHARE * (now - self._began))
