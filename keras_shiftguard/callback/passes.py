"""Passes over one stream: how far they are, and when the step has to be read out."""

from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.occasional import stride_for
from keras_shiftguard.statistics.stream import Stream

# float32 counts up to 2**24: drained this often, batches of 65,536 still fit.
BATCHES_PER_DRAIN = 128


class Passes:
    """Counts the batches of a stream, over all passes and in the present one.

    Attributes:
        batches: Of all passes.
        position: Index of the latest batch in the present pass; -1 before the first.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.position = -1
        self._new = 0
        self._undrained = 0

    def start(self, stream: Stream, steps: int | None) -> None:
        """Begins a pass.

        Args:
            stream: What the step measures.
            steps: How many batches Keras expects, for the first pass; a later one is
                expected to be as long as the one before. None if unknown.
        """
        done = self.position + 1
        batch_size = stream.profile.num_samples // done if done else None
        stream.measure_every(stride_for(done or steps, batch_size or None))
        stream.restart()
        for metric in stream.user_metrics:
            metric.reset_state()
        self.position = -1
        self._undrained = 0

    def advance(self, batch: int) -> None:
        """Counts up to that batch of the pass."""
        self._new = batch - self.position  # more than one under steps_per_execution
        self.position = batch
        self.batches += self._new
        self._undrained += self._new

    def crossed(self, every: int) -> bool:
        """Whether a multiple of `every` batches lies in the latest advance."""
        return self.batches // every > (self.batches - self._new) // every

    @property
    def must_drain(self) -> bool:
        """Whether the counts in the step soon stop counting."""
        return self._undrained >= BATCHES_PER_DRAIN

    def drain(self, stream: Stream) -> InputProfile:
        """Reads the step out; returns the numbers of the pass so far."""
        stream.drain()
        self._undrained = 0
        return stream.profile
