"""`Independence`: the number of independent samples of each stream."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from keras_shiftguard.detection.causes.near_duplicates import independent_share
from keras_shiftguard.detection.sentences import stream_name
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class Independence:
    """Sets the number of independent samples in the profile of a stream.

    Args:
        declared: The user's values by stream: a number of samples, or the independent share of
            the samples, in (0, 1]. For other streams, the share is estimated: neighbouring
            samples that are nearly the same count less.

    Attributes:
        notes: A sentence by stream, for streams whose estimated share is below 1.
    """

    def __init__(self, declared: Mapping[str, int | float]) -> None:
        self.declared = declared
        self.notes: dict[str, str] = {}
        self._found: dict[str, float] = {}  # share by stream

    def of(self, name: str, profile: InputProfile, stream: Stream | None = None) -> InputProfile:
        """Returns the profile with the number of its independent samples.

        Args:
            name: Name of the stream.
            profile: Profile of a pass over the stream.
            stream: The stream, whose kept samples are searched for near duplicates; None if no
                samples are kept.
        """
        said = self.declared.get(name)
        repeated = stream.repeated_batches.share if stream is not None else 0.0
        if said is None:
            share = 1.0 if stream is None else self._share(name, stream)
            if share >= 1 and repeated:
                number = max(round((1 - repeated) * profile.num_samples), 1)
                self.notes[name] = (
                    f"some batches of {stream_name(name)} came twice in one pass, as Keras takes "
                    f"them from a generator: its {profile.num_samples:,} samples count as "
                    f"{number:,}. Arrays or a dataset give each sample once"
                )
                return replace(profile, distinct_samples=number)
            if share >= 1:
                self.notes.pop(name, None)
                return profile
            share *= 1 - repeated
        else:
            share = said if isinstance(said, float) else said / max(profile.num_samples, 1)
        number = max(round(min(share, 1.0) * profile.num_samples), 1)
        if said is None:
            images = stream is not None and bool(stream.kept_samples)
            noun, example = ("images", "frames of a clip are")
            if not images:
                noun, example = ("samples", "overlapping windows of a series are")
            alike = f"are nearly the same, as {example}"
            if not profile.labels.are_classes:  # then an order by class looks the same
                sort = "files in the order of their classes" if images else "sorted rows"
                alike = f"are alike, as {example}, or {sort}"
            self.notes[name] = (
                f"neighbouring {noun} of {stream_name(name)} {alike}: its "
                f"{profile.num_samples:,} {noun} count as {number:,}. If they are independent, "
                f"pass ShiftGuard(distinct_samples={{{name!r}: 1.0}})"
            )
        return replace(profile, distinct_samples=number)

    def _share(self, name: str, stream: Stream) -> float:
        if name not in self._found and len(stream.buffers) and stream.has_samples:
            self._found[name] = self._estimated(stream)
        return self._found.get(name, 1.0)

    @staticmethod
    def _estimated(stream: Stream) -> float:
        """Returns the independent share of the kept samples of the first input."""
        kept = next(iter(stream.buffers.values()))
        if not stream.kept_samples:
            rows, ids = kept.read()
            labels = ids if np.all(ids >= 0) else None
            return independent_share(rows, labels, positions=kept.positions)
        samples, labels = stream.samples()
        images = next(iter(samples.values()))
        if images.ndim != 4 or not len(images):
            return 1.0
        first = kept.spec.layout == "channels_first"
        # With several inputs, only samples that are in the buffers of all inputs are left.
        positions = kept.positions if len(kept.positions) == len(images) else None
        return independent_share(images, labels, first, positions)
