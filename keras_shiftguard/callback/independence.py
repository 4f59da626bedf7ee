"""`Independence`: the number of independent samples of each stream."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_shiftguard.callback.copies import hashes, share_without_copies
from keras_shiftguard.detection.causes.near_duplicates import independent_share
from keras_shiftguard.detection.words.sentences import stream_name
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class Independence:
    """Sets the number of independent samples in the profile of a stream.

    Args:
        declared: The user's values by stream: a number of samples, or the independent share of
            the samples, in (0, 1]. For other streams, the share is estimated: neighboring
            samples that are more alike than others count less, and so do batches that came twice.

    Attributes:
        notes: A sentence by stream, for streams whose estimated share is below 1.
        drawn: The streams whose latest pass has exact copies, which random augmentation would make
            different.
    """

    def __init__(self, declared: Mapping[str, int | float]) -> None:
        self.declared = declared
        self.notes: dict[str, str] = {}
        self.drawn: set[str] = set()
        self._found: dict[str, float] = {}  # share by stream

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        return {"found": dict(self._found)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned; what it lacks stays as it is."""
        self._found |= {name: float(share) for name, share in state.get("found", {}).items()}

    def of(
        self,
        name: str,
        profile: InputProfile,
        stream: Stream | None = None,
        other: Stream | None = None,
    ) -> InputProfile:
        """Returns the profile of a pass over a stream, with the number of its independent samples.

        The kept samples of the stream are searched for near duplicates, unless `stream` is None,
        and for copies that the `other` stream does not have, unless that is None.
        """
        declared = self.declared.get(name)
        if declared is not None:
            share = (
                declared if isinstance(declared, float) else declared / max(profile.num_samples, 1)
            )
            return replace(profile, distinct_samples=_number(share, profile))
        self.notes.pop(name, None)
        if stream is None:
            return profile
        share, repeated = self._share(name, stream), stream.repeated_batches.share
        # Rows of one subject that stand together in validation are scattered over training, which
        # is shuffled: the subject is the unit in both.
        seen = share
        if name == "train":
            share = min(share, self._found.get("validation", 1.0))
        drawn = 1.0
        if other is not None and not repeated:
            drawn = share_without_copies(hashes(stream), hashes(other), profile.num_samples)
            self.drawn = self.drawn - {name} | ({name} if drawn < 1 else set())
        if min(share, drawn) >= 1 and not repeated:
            return profile
        number = _number(min(share, drawn) * (1 - repeated), profile)
        tell = _of_copies if drawn < share else _of_neighbours
        tell = _of_repeated_batches if repeated and share >= 1 else tell
        if min(seen, drawn) < 1 or repeated:
            self.notes[name] = tell(name, profile, stream, number)
        return replace(profile, distinct_samples=number)

    def _share(self, name: str, stream: Stream) -> float:
        if name not in self._found and len(stream.buffers) and stream.has_samples:
            kept = next(iter(stream.buffers.values()))  # of the first input
            rows, ids = kept.read()
            labels = ids if np.all(ids >= 0) else None
            first = kept.spec.layout == "channels_first"
            self._found[name] = independent_share(rows, labels, first, kept.positions)
        return self._found.get(name, 1.0)


def _number(share: float, profile: InputProfile) -> int:
    """Returns this share of the samples as a number, at least 1."""
    return max(round(min(share, 1.0) * profile.num_samples), 1)


def _of_neighbours(name: str, profile: InputProfile, stream: Stream, number: int) -> str:
    """Returns the sentence that neighboring samples are alike and count as `number`."""
    noun, example = "samples", "rows of one subject or overlapping windows of a series"
    if stream.kept_samples:
        noun, example = "images", "frames of a clip or slices of a patient"
    if not profile.labels.are_classes:  # without classes, sorted samples cannot be recognized
        sort = "files in the order of their classes" if stream.kept_samples else "sorted rows"
        example = f"{example.replace(' or ', ', ')}, or {sort}"
    return (
        f"neighbouring {noun} of {stream_name(name)} are more alike than others, as {example} are: "
        f"its {profile.num_samples:,} {noun} "
        f"count as {number:,}. If they are independent, pass "
        f"ShiftGuard(distinct_samples={{{name!r}: 1.0}})"
    )


def _of_copies(name: str, profile: InputProfile, stream: Stream, number: int) -> str:
    """Returns the sentence that samples of a pass are copies and count as `number`."""
    return (
        f"some samples of {stream_name(name)} came several times in one pass, as rows that are "
        f"drawn with replacement do: its {profile.num_samples:,} samples count as {number:,}"
    )


def _of_repeated_batches(name: str, profile: InputProfile, stream: Stream, number: int) -> str:
    """Returns the sentence that batches came twice in a pass and the samples count as `number`."""
    return (
        f"some batches of {stream_name(name)} came twice in one pass, as Keras takes them from a "
        f"generator: its {profile.num_samples:,} samples count as {number:,}. Arrays or a dataset "
        "give each sample once"
    )
