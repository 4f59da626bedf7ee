"""`Spending`: limits the measurement of costs to a small share of the training time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Measurements may take so many seconds, or this share of the time since training began if that is
# more. In a small fit of a large network on a CPU, they would take longer than the training.
FREE_SECONDS, MAX_SHARE = 20.0, 0.1


class Spending:
    """The time that measurements with the model took in a fit, and whether more may be taken."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0.0  # seconds of finished measurements
        self._since: float | None = None  # when the running measurement began
        self._samples = 0  # on which the model was run

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Counts the time of a measurement."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._spent += time.perf_counter() - self._since
            self._since = None

    def add(self, num_samples: int) -> None:
        """Counts samples on which the model was run."""
        self._samples += num_samples

    def allows(self, num_samples: int = 0) -> bool:
        """Whether the model may be run on so many more samples, or at all."""
        now = time.perf_counter()
        spent = self._spent + (0.0 if self._since is None else now - self._since)
        needed = num_samples * spent / max(self._samples, 1)
        return spent + needed <= max(FREE_SECONDS, MAX_SHARE * (now - self._began))
