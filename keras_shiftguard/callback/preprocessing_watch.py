"""The preprocessing check inside a fit: when to look, and what to do then."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_shiftguard.errors import PreprocessingMismatchError, warn
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure
from keras_shiftguard.preprocessing.verdict import judge
from keras_shiftguard.statistics.first_samples import MAX_SAMPLES
from keras_shiftguard.statistics.stream import Stream

# A look costs a few forward passes through the first layers. One after the
# first batch is mostly enough; the later ones are for small batches.
LOOK_AFTER = (1, 2, 4, 8, 16)
# Fewer photos than this name the convention rightly in 9 of 10 cases only.
ENOUGH_SAMPLES = 8


class PreprocessingWatch:
    """Judges each stream once, on its first batches, and acts on the verdict.

    Args:
        model: The model, before training: its early weights are copied and
            its structure is read, so that the first steps do not matter.
        on_mismatch: `"warn"`, `"raise"`, `"fix"` or `"ignore"`.
        training: Whether this is a `fit`, not an `evaluate`.
    """

    def __init__(self, model: keras.Model, on_mismatch: str, training: bool) -> None:
        self.training = training
        self.on_mismatch = on_mismatch
        self.diagnoses: dict[str, Diagnosis] = {}
        self.corrected: set[str] = set()
        self._settled: set[str] = set()
        self._looks: dict[str, int] = {}
        self._evidence = BatchNormEvidence(model) if model.built else None
        self._structures = expect_from_structure(model) if model.built else None

    def is_settled(self, stream: str) -> bool:
        return stream in self._settled

    def is_due(self, stream: str, batches: int) -> bool:
        """Whether to look after that many batches of the stream."""
        if stream in self._settled:
            return False
        done = self._looks.get(stream, 0)
        return any(done < look <= batches for look in LOOK_AFTER)

    def look(self, model: keras.Model, stream: Stream, batches: int, final: bool = False) -> bool:
        """Judges the stream on what was kept of it; True once that is final."""
        name = stream.stream
        self._looks[name] = batches
        samples, labels = stream.samples()
        enough = max((len(images) for images in samples.values()), default=0)
        last = final or batches >= LOOK_AFTER[-1] or not samples
        if enough < ENOUGH_SAMPLES and not last:
            return False
        if samples and not enough:
            return False
        diagnosis = judge(
            model,
            samples,
            stream.profile,
            labels,
            training=self.training,
            evidence=self._evidence,
            structures=self._structures,
        )
        if diagnosis.status == "unknown" and not last and enough < MAX_SAMPLES:
            return False
        self.diagnoses[name] = diagnosis
        self._settled.add(name)
        return True

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        return {
            "diagnoses": {name: d.to_dict() for name, d in self.diagnoses.items()},
            "corrected": sorted(self.corrected),
        }

    def restore(self, state: Mapping[str, Any], streams: Mapping[str, Stream]) -> None:
        """Continues where `state()` was taken; what was corrected is so at once.

        A stream whose shape is not known yet, and so cannot be corrected yet, is
        judged anew.
        """
        for name, kept in state["diagnoses"].items():
            stream = streams[name]
            if name in state["corrected"] and not stream.is_built:
                continue
            self.diagnoses[name] = Diagnosis.from_dict(kept)
            self._settled.add(name)
            if self.on_mismatch == "fix":
                self._correct(stream, self.diagnoses[name])

    def release(self) -> None:
        """Lets go of the copied weights; the diagnoses stay."""
        self._evidence = self._structures = None

    def act(self, stream: Stream) -> None:
        """Warns, corrects or raises, as the user chose."""
        name = stream.stream
        diagnosis = self.diagnoses[name]
        if self.on_mismatch == "fix":
            self._correct(stream, diagnosis)
        if diagnosis.status != "mismatch":
            return
        if self.on_mismatch == "raise":
            raise PreprocessingMismatchError(diagnosis)
        if self.on_mismatch != "ignore":
            lines = [f"[{name}] {diagnosis}"]
            if name in self.corrected:
                lines.append("  Corrected inside the step from here on (on_mismatch='fix').")
            elif self.on_mismatch == "fix":
                lines.append("  No layer can undo this, so nothing was corrected.")
            if not self._is_told(name):
                warn("\n".join(lines))

    def _is_told(self, name: str) -> bool:
        """Whether the same was said of another stream already: once is enough."""
        mine = self.diagnoses[name]
        return any(
            (d.status, d.expected, d.observed) == (mine.status, mine.expected, mine.observed)
            for stream, d in self.diagnoses.items()
            if stream != name
        )

    def expect_like(self, stream: Stream, other: Stream) -> None:
        """Until `stream` is judged itself, correct it as `other` is.

        The first batch of validation has to be corrected before it can be
        measured; that it comes from the same pipeline is the best guess.
        """
        if self.on_mismatch == "fix" and not self.is_settled(stream.stream):
            if other.stream in self.corrected:
                self._switch_on(stream, self.diagnoses[other.stream])

    def _correct(self, stream: Stream, diagnosis: Diagnosis) -> None:
        if diagnosis.status == "unknown":
            return  # keeps what `expect_like` may have set
        for correction in stream.corrections.values():
            correction.switch_off()
        if diagnosis.status == "mismatch":
            self._switch_on(stream, diagnosis)
            if any(fix is not None for fix in fixes_of(stream, diagnosis).values()):
                self.corrected.add(stream.stream)

    def _switch_on(self, stream: Stream, diagnosis: Diagnosis) -> None:
        for name, fix in fixes_of(stream, diagnosis).items():
            if fix is not None:
                stream.corrections[name].switch_on(fix.permutation, fix.scale, fix.offset)


def fixes_of(stream: Stream, diagnosis: Diagnosis) -> dict[str, InputCorrection | None]:
    """The fix for each image input of a stream."""
    by_input: Any = diagnosis.by_input
    return {
        name: by_input[name].fix if name in by_input else None if by_input else diagnosis.fix
        for name in stream.corrections
    }
