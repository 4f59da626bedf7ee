"""`PassCounter`: counts the batches of a stream, and decides when its statistics are drained.

To drain statistics is to move them from the step into the profile of the stream.
"""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard.detection.causes.same_samples import same_samples
from keras_shiftguard.instrument.measure import BATCHES_PER_DRAIN
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class PassCounter:
    """Counts the batches of a stream, over all passes and in the present pass.

    Attributes:
        batches: Number of batches of all passes.
        position: Index of the latest batch in the present pass; -1 before the first.
        latest: Profile of the latest pass with new samples.
        repeats: Whether the latest pass repeated the samples of the pass in `latest`.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.position = -1
        self.latest = InputProfile()
        self.repeats = False
        self._expected: int | None = None  # number of batches of the present pass
        self._new = 0  # number of batches that the latest `advance` counted
        self._undrained = 0  # number of batches since the latest drain

    def start(self, stream: Stream, steps: int | None) -> None:
        """Starts a pass, and resets the statistics of the stream.

        `steps` is the number of batches that Keras expects in the first pass, None if unknown.
        Later passes are expected to be as long as the previous pass.
        """
        steps = self._expected = (self.position + 1) or steps
        stream.plan_pass(steps, is_first=not self.latest.num_samples, repeats=self.repeats)
        # If the passes repeat, the kept images are still samples of the new pass, and further
        # images would be copies of them. If the fit was resumed, no images are kept yet.
        if not self.repeats or not stream.has_samples:
            stream.forget_samples()
        else:
            stream.hold_samples()
        stream.restart()
        for metric in stream.user_metrics:
            metric.reset_state()
        self.position = -1
        self._undrained = 0

    def advance(self, batch: int) -> None:
        """Counts the batches of the pass up to the index `batch`.

        With `steps_per_execution`, one call counts several batches.
        """
        self._new = batch - self.position
        self.position = batch
        self.batches += self._new
        self._undrained += self._new

    def crossed(self, every: int) -> bool:
        """Whether the latest `advance` reached or passed a multiple of `every` batches."""
        return self.batches // every > (self.batches - self._new) // every

    @property
    def is_cut_short(self) -> bool:
        """Whether the present pass has fewer batches than the previous pass."""
        is_first = not self.latest.num_samples
        return not is_first and self.position + 1 < (self._expected or 0)

    @property
    def must_drain(self) -> bool:
        """Whether the statistics must be drained now, so that their float32 counts stay exact."""
        return self._undrained >= BATCHES_PER_DRAIN

    def drain(self, stream: Stream) -> InputProfile:
        """Adds the statistics of the step to the profile of the pass; returns the profile."""
        stream.drain()
        self._undrained = 0
        return stream.profile

    def finish(self, stream: Stream) -> InputProfile:
        """Drains the statistics at the end of a pass, and returns the profile of its samples.

        If the pass repeated the samples of `latest`, the result is the one of the two profiles
        that was measured on more of them: mostly `latest`, but if the samples changed in the pass
        of `latest`, it was measured less, because a repeated pass was expected. `latest` is also
        returned after a pass without a batch, for example at the end of a generator.
        """
        profile = self.drain(stream)
        if self.position < 0:
            return self.latest
        was_held, self.repeats = self.repeats, same_samples(self.latest, profile)
        if was_held and not self.repeats and stream.stream != "train":
            # The samples that were kept are those before the change; the next pass keeps new ones.
            stream.forget_samples()
        if not self.repeats or profile.num_measured > self.latest.num_measured:
            self.latest = profile
        return self.latest

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {
            "batches": self.batches,
            "position": self.position,
            "latest": self.latest.tree(),
            "repeats": self.repeats,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        self.batches, self.position = int(state["batches"]), int(state["position"])
        self.latest, self.repeats = InputProfile(**state["latest"]), bool(state["repeats"])
