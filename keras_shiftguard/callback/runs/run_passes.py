"""`RunPasses`: the passes of a run over its streams, with the profile of the latest of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_shiftguard.callback.independence import Independence
from keras_shiftguard.callback.runs.passes import PassCounter
from keras_shiftguard.callback.runs.target_outputs import TargetOutputs
from keras_shiftguard.instrument.model_outputs import predicts_numbers
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class RunPasses:
    """Counts the batches of the streams of a run, and keeps the profiles of their passes.

    Attributes:
        counters: Counter of the batches of each stream.
        profiles: Profile of the latest pass over each stream, and the known profiles.
    """

    def __init__(
        self,
        model: keras.Model,
        names: Sequence[str],
        known: Mapping[str, InputProfile],
        independence: Independence,
    ) -> None:
        self._model, self._known, self._independence = model, known, independence
        self.counters = {name: PassCounter() for name in names}
        self.profiles = dict(known)
        self._new: set[str] = set()  # streams with a pass since the last comparison

    @property
    def num_batches(self) -> int:
        """Number of training batches so far."""
        return self.counters["train"].batches if "train" in self.counters else 0

    @property
    def wanted(self) -> InputProfile | None:
        """The profile that training should come near: of the target, else of validation."""
        return self._known.get("target", self.profiles.get("validation"))

    def drain(self, stream: Stream) -> None:
        """Updates the profile of a stream within its pass."""
        self.profiles[stream.stream] = self.counters[stream.stream].drain(stream)

    def finish(self, stream: Stream, other: Stream | None = None) -> None:
        """Finishes a pass over a stream, and profiles it; `other` is the stream compared with it.

        If a callback stopped the training within the epoch, the pass is not compared: the data may
        be sorted, and the samples of a part of the pass are then not representative.
        """
        name, counter = stream.stream, self.counters[stream.stream]
        is_complete = not (counter.is_cut_short and getattr(self._model, "stop_training", False))
        profile = counter.finish(stream) if is_complete else counter.latest
        if not is_complete:
            counter.drain(stream)
        if predicts_numbers(self._model):
            profile = replace(profile, labels=profile.labels.as_numbers())
        profile = self._independence.of(name, profile, stream, other)
        self.profiles[name] = profile.with_values(stream.user_results())
        if is_complete:
            self._new.add(name)

    def take_new(self, target_outputs: TargetOutputs | None) -> dict[str, InputProfile]:
        """Returns the profiles of the passes since the last call, and that of the target."""
        streams = {name: self.profiles[name] for name in sorted(self._new)}
        self._new.clear()
        if "target" in self._known:
            streams["target"] = self._known["target"]
            if target_outputs is not None and "validation" in streams:
                weights = f"fit, {self.num_batches} batches"
                with undisturbed(self._model):
                    streams |= target_outputs.read(streams, weights)
                self.profiles |= {name: streams[name] for name in ("validation", "target")}
        return streams

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as a tree for `profiles.storage`."""
        measured = {name: self.profiles[name] for name in self.counters if name in self.profiles}
        return {
            "passes": {name: counter.state() for name, counter in self.counters.items()},
            "profiles": {name: profile.tree() for name, profile in measured.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state that `state()` returned."""
        for name, counter in self.counters.items():
            counter.restore(state["passes"][name])
        self.profiles |= {n: InputProfile(**tree) for n, tree in state["profiles"].items()}
