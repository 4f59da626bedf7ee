"""`Spending`: limits the measurement of costs to a small share of the training time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from keras_shiftguard.explain.estimates.adaptation_worth import MAX_SHARE
from keras_shiftguard.instrument.steps.processes import has_several_processes

# Measurements may take MAX_SHARE of the time since training began, and after the last epoch
# FREE_SECONDS if that is more, because the last weights decide, or MAX_SECONDS if there was no
# measurement before. In a short fit, earlier ones would take longer than the training. Of the first
# measurement, only the predictions are counted, at the speed of the fastest one: in it, operations
# are compiled once and for all, which takes JAX longer than all that follows. A convention, checked
# in docs/benchmarks/overhead.md.
FREE_SECONDS = 5.0


def is_in_schedule(age: int) -> bool:
    """Whether costs are measured so many epochs after the first time: at powers of four.

    >>> [age for age in range(70) if is_in_schedule(age)]
    [0, 1, 4, 16, 64]
    """
    return age == 0 or (age & (age - 1) == 0 and age.bit_length() % 2 == 1)


class Stopwatch:
    """The time that this process needed since it was made, where others share the machine.

    It is the time of the wall clock, or that of the processors if this is less: on a busy machine,
    waiting for a turn is not counted, so that a fit is told the same as on an idle one. Several
    threads need more of the processors than the wall clock shows.
    """

    def __init__(self) -> None:
        self._wall, self._processors = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """Returns the time so far."""
        wall = time.perf_counter() - self._wall
        processors = time.process_time() - self._processors
        return min(wall, processors or wall)  # some clocks do not show short times


class Spending:
    """The time that measurements with the model took in a fit, and whether more may be taken."""

    def __init__(self) -> None:
        self._training = Stopwatch()
        self._spent = 0.0  # seconds of finished measurements
        self._running: Stopwatch | None = None  # of the measurement that runs
        self._most = 0.0  # the most seconds of a measurement, as they are counted
        self._best = float("inf")  # the least seconds for a sample in any run of the model
        self._num_first = 0  # samples on which the first measurement has run the model
        self._is_first = True  # whether no measurement that runs the model has ended

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Counts the time of a measurement; of the first one, that of its predictions."""
        watch = Stopwatch()
        self._running = None if self._is_first else watch
        try:
            yield
        finally:
            took = watch.seconds()
            if self._is_first:
                took = self._num_first * self._best if self._num_first else 0.0
            else:
                self._spent += took
            self._most = max(self._most, took)
            self._is_first = not self._num_first
            self._running = None

    @contextmanager
    def running(self, num_samples: int) -> Iterator[None]:
        """Counts samples on which the model is run, and the time of that."""
        watch = Stopwatch()
        yield
        if self._is_first:
            self._num_first += num_samples
        if num_samples:
            self._best = min(self._best, watch.seconds() / num_samples)

    def allows(self) -> bool:
        """Whether another measurement may be made before the last epoch, and one more after it.

        One of several processes may not decide by its own clock, because all must do the same.
        """
        return has_several_processes() or self._left() >= 2 * self._most

    @property
    def knows_speed(self) -> bool:
        """Whether the model was run in any measurement, so that its speed is known."""
        return self._best < float("inf")

    def predictions_left(self, is_last: bool) -> float:
        """Returns how many predictions may be made in the time that is left."""
        if has_several_processes() or not self.knows_speed:
            return float("inf")
        # What an earlier look has spent must not leave the last one without time: the last weights
        # decide.
        left = max(self._left(is_last), FREE_SECONDS if is_last else 0.0)
        return left / max(self._best, 1e-12)

    def _left(self, is_last: bool = False) -> float:
        spent = self._spent + (0.0 if self._running is None else self._running.seconds())
        if self._num_first:
            spent += self._num_first * self._best
        free = FREE_SECONDS if is_last else 0.0
        return max(free, MAX_SHARE * self._training.seconds()) - spent
