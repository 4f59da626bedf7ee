"""`PreprocessingWatch`: a check of the preprocessing of each stream during a fit."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_shiftguard.errors import PreprocessingMismatchError, warn
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.correction.layer import InputCorrection
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.expected.structure import expect_from_structure
from keras_shiftguard.preprocessing.observed.observation import MIN_OBSERVED
from keras_shiftguard.preprocessing.verdict import judge
from keras_shiftguard.statistics.kept_samples import FIRST_SAMPLES
from keras_shiftguard.statistics.stream import Stream

# Numbers of batches after which a stream is checked, until the diagnosis is final. A check runs
# some images through the first layers, and often through the whole network. Usually the first check
# is enough; later checks are needed if batches are small. A later check needs `MORE_SAMPLES` times
# the samples of the check before, or as many as a check uses at most. Conventions.
CHECK_AFTER_BATCHES = (1, 2, 4, 8, 16)
MORE_SAMPLES = 4


class PreprocessingWatch:
    """Diagnoses each stream once, on its first batches, and acts on the diagnosis.

    The weights of the model are copied at once, because training changes them.
    """

    def __init__(
        self,
        model: keras.Model,
        on_mismatch: str,
        training: bool,
        stated: Mapping[str | None, InputConvention] | None = None,
        speaker: str = "You said (`expects`)",
    ) -> None:
        self.stated, self._speaker = stated, speaker
        self.training = training
        self.on_mismatch = on_mismatch
        self.diagnoses: dict[str, Diagnosis] = {}
        self.corrected: set[str] = set()  # names of the streams whose input is corrected
        self.sees_images = False  # whether any input has images; else there is nothing to check
        self._settled: set[str] = set()  # names of the streams whose diagnosis is final
        self._checked_at: dict[str, int] = {}  # number of batches at the latest check
        self._judged: dict[str, int] = {}  # number of samples in the latest check
        self._evidence = BatchNormEvidence(model) if model.built else None
        self._structures = expect_from_structure(model) if model.built else None

    def is_settled(self, stream: str) -> bool:
        """Whether the diagnosis of the stream is final."""
        return stream in self._settled

    def uncorrected_batches(self, stream: str) -> int:
        """Number of batches of a stream before its input was corrected; 0 without a correction.

        In a resumed fit, the batches of the interrupted fit are not counted.
        """
        return self._checked_at.get(stream, 0) if stream in self.corrected else 0

    def is_due(self, stream: str, batches: int) -> bool:
        """Whether the stream must be checked after `batches` batches."""
        if stream in self._settled:
            return False
        last = self._checked_at.get(stream, 0)
        return any(last < number <= batches for number in CHECK_AFTER_BATCHES)

    def check(self, model: keras.Model, stream: Stream, batches: int, final: bool = False) -> bool:
        """Diagnoses the stream from its first samples; returns whether the diagnosis is final.

        In a `final` check the pass is over, so that no more samples will come.
        """
        name = stream.stream
        self._checked_at[name] = batches
        samples, labels = stream.samples(FIRST_SAMPLES)
        self.sees_images = self.sees_images or bool(samples)
        num_samples = max((len(images) for images in samples.values()), default=0)
        is_last = final or batches >= CHECK_AFTER_BATCHES[-1] or not samples
        if num_samples < MIN_OBSERVED and not is_last:
            return False
        if samples and not num_samples:  # image inputs, but no image so far
            return False
        wanted = min(MORE_SAMPLES * self._judged.get(name, 0), FIRST_SAMPLES)
        if num_samples < wanted and not is_last:
            return False
        self._judged[name] = num_samples
        diagnosis = judge(
            model,
            samples,
            stream.profile,
            labels,
            training=self.training,
            validates=name == "validation",
            evidence=self._evidence,
            structures=self._structures,
            stated=self.stated,
            speaker=self._speaker,
        )
        unproven = diagnosis.status == "mismatch" and diagnosis.fix is None
        unnamed = diagnosis.trained_here and not diagnosis.observed.is_known
        is_open = diagnosis.status == "unknown" or unproven or unnamed
        if is_open and not is_last and num_samples < FIRST_SAMPLES:
            return False
        self.diagnoses[name] = diagnosis
        self._settled.add(name)
        return True

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, as plain values."""
        return {
            "diagnoses": {name: d.to_dict() for name, d in self.diagnoses.items()},
            "corrected": sorted(self.corrected),
        }

    def restore(self, state: Mapping[str, Any], streams: Mapping[str, Stream]) -> None:
        """Restores the state that `state()` returned, and switches the corrections on.

        A corrected stream whose input shapes are not known yet is diagnosed anew instead.
        """
        for name, diagnosis in state["diagnoses"].items():
            stream = streams[name]
            if name in state["corrected"] and not stream.is_built:
                continue
            self.diagnoses[name] = Diagnosis.from_dict(diagnosis)
            self._settled.add(name)
            if self.on_mismatch == "fix":
                self._correct(stream, self.diagnoses[name])

    def release(self) -> None:
        """Frees the copied weights; keeps the diagnoses."""
        self._evidence = self._structures = None

    def act(self, stream: Stream) -> None:
        """Warns, corrects the input or raises an error, as `on_mismatch` says."""
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
                lines.append("  Corrected inside fit from here on (on_mismatch='fix').")
            elif self.on_mismatch == "fix":
                is_affine = diagnosis.expected.is_known and diagnosis.observed.is_known
                unproven = is_affine and not diagnosis.garbled
                why = (
                    "It is not certain that the fix helps" if unproven else "No layer can undo this"
                )
                lines.append(f"  {why}, so nothing was corrected.")
            if not self._is_reported(name):
                warn("\n".join(lines))

    def _is_reported(self, name: str) -> bool:
        """Whether another stream has the same diagnosis, so that it was reported already."""
        mine = self.diagnoses[name]
        return any(
            (d.status, d.expected, d.observed) == (mine.status, mine.expected, mine.observed)
            for stream, d in self.diagnoses.items()
            if stream != name
        )

    def correct_like(self, stream: Stream, other: Stream) -> None:
        """Corrects `stream` in the same way as `other`, until its own diagnosis is final.

        The first batch of validation has to be corrected before validation is diagnosed.
        The correction of training is used, because validation most likely comes from the same
        pipeline as training.
        """
        if other.stream in self.corrected and not stream.is_built:
            # Otherwise the shapes stay unknown until the first batch, which must be corrected too.
            stream.build([sketch.spec for sketch in other.sketches.values()])
        if self.on_mismatch == "fix" and not self.is_settled(stream.stream):
            if other.stream in self.corrected:
                self._switch_on(stream, self.diagnoses[other.stream])

    def _correct(self, stream: Stream, diagnosis: Diagnosis) -> None:
        if diagnosis.status == "unknown":
            return  # keeps the correction that `correct_like` may have set
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
    """Returns the fix for each image input of a stream; None for an input without a fix."""
    by_input: Any = diagnosis.by_input
    return {
        name: by_input[name].fix if name in by_input else None if by_input else diagnosis.fix
        for name in stream.corrections
    }
