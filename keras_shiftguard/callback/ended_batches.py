"""`EndedBatches`: the batches that Keras has ended, in any thread, and that are not counted yet."""

from collections import deque
from collections.abc import Iterator
from threading import get_ident


class EndedBatches:
    """Queue of ended batches, which the thread that began the run takes to count them.

    On JAX and PyTorch, Keras calls the end of a batch in other threads, while the next batch runs,
    if `callbacks` is a single callback and not a list.
    """

    def __init__(self) -> None:
        self._ended: deque[tuple[str, int]] = deque()
        self._thread = get_ident()  # the thread that began the run

    def begin(self) -> None:
        """Begins a run in this thread, with an empty queue."""
        self._thread = get_ident()
        self._ended.clear()

    def add(self, stream: str, batch: int) -> None:
        """Adds a batch by the name of its stream and its index in the pass."""
        self._ended.append((stream, batch))

    @property
    def is_thread_of_run(self) -> bool:
        """Whether the caller is in the thread that began the run."""
        return get_ident() == self._thread

    def take(self) -> Iterator[tuple[str, int]]:
        """Removes the batches one by one, the earliest first, until there is none."""
        while self._ended:
            yield self._ended.popleft()
