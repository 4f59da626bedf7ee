"""One fit, or one evaluation, under watch: from the first batch to the last look."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras

from keras_shiftguard.callback.optional_data import Given
from keras_shiftguard.callback.passes import Passes
from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair, log_alignment
from keras_shiftguard.callback.shift_watch import ShiftWatch
from keras_shiftguard.callback.target_outputs import TargetAnswers, target_answers
from keras_shiftguard.instrument.model_inputs import input_shapes, specs_of
from keras_shiftguard.instrument.probe import Probe, kept_probe, variable_scope
from keras_shiftguard.instrument.step_correction import StepCorrection
from keras_shiftguard.log.run_log import RunLog
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


class WatchedFit:
    """The streams of one run, and what looks at them.

    Args:
        model: A compiled model.
        run: Keras's `params`: one object for all callbacks of one run.
        training: Whether this is a `fit`, not an `evaluate`; False when it is over.
        preprocessing: Judges how the streams were preprocessed.
        shift: Compares the streams with each other.
        repair: What `adapt=` asks for.
        log: Where looks are written.
        known: Profiles that do not change: `"reference"` and `"target"`, if given.
        update_freq: When to write: `"epoch"`, or after how many batches of training.

    Attributes:
        profiles: The latest pass over each stream, and what is known.
        epoch: The present one, counted from 0.
    """

    def __init__(
        self,
        model: keras.Model,
        run: Any,
        training: bool,
        preprocessing: PreprocessingWatch,
        shift: ShiftWatch,
        repair: Repair,
        log: RunLog,
        known: Mapping[str, InputProfile],
        update_freq: str | int,
    ) -> None:
        self.model = model
        self.run = run
        self.training = training
        self.preprocessing = preprocessing
        self.shift = shift
        self.repair = repair
        self.log = log
        self.known = known
        self.update_freq = update_freq
        self.profiles = dict(known)
        self.epoch = 0
        self.answers: TargetAnswers | None = None
        self._probe: Probe | None = None
        self._recipe: Hashable = None  # of the probe, if a later run may have it again
        self._passes = {"train": Passes(), "validation": Passes()}
        self._unseen: set[str] = set()  # streams with a pass since the last look

    def attach(
        self,
        statistics: Sequence[keras.metrics.Metric],
        feature_layer: str | None,
        target: Given,
    ) -> None:
        """Creates the variables and wraps the steps; whatever cannot work is said now.

        Args:
            statistics: The user's own metrics of `x`.
            feature_layer: Name of a layer whose activations are compared, or None.
            target: Unlabelled data of the target, if there is any.
        """
        model = self.model
        shapes = input_shapes(model)
        specs = specs_of(shapes, model)
        correction = StepCorrection if self.preprocessing.on_mismatch == "fix" else None
        with variable_scope(model):
            self.answers = target_answers(model, feature_layer, target)
            augmentation = self.repair.new_augmentation() if self.training else None
            if shapes and augmentation is not None:
                augmentation.build(specs)
        self.repair.use(augmentation)
        fixed = bool(specs) and all(None not in shape[1:] for shape in shapes.values())
        more = statistics or self.answers is not None or augmentation is not None
        if fixed and not more and keras.backend.backend() != "torch":  # which traces nothing
            self._recipe = (correction, tuple(shapes), tuple(specs))
        self._probe = kept_probe(model, self._recipe)
        if self._probe is None:
            with variable_scope(model):
                streams = {
                    "train": Stream("train", correction, statistics),
                    "validation": Stream("validation", correction, _copies(statistics)),
                }
                if shapes:
                    for stream in streams.values():
                        stream.build(specs)
            answers = None if self.answers is None else self.answers.answers
            self._probe = Probe(model, streams, list(shapes), answers, augmentation)
        self._probe.attach(self.run)

    @property
    def is_attached(self) -> bool:
        """Whether the steps are wrapped."""
        return self._probe is not None

    def end(self) -> None:
        """Lets go of what is needed in the run only; the verdicts stay."""
        self.training = False
        self.preprocessing.release()

    def detach(self) -> None:
        """Leaves the model as it was; what was found is kept."""
        if self._probe is not None:
            self._probe.detach(self._recipe)
            self._probe = None

    def start_pass(self, name: str) -> None:
        """Begins a pass over a stream."""
        stream, steps = self.stream(name), None
        if (name == "train") == self.training:
            steps = (self.run or {}).get("steps")
        self._passes[name].start(stream, steps)

    def start_validation(self) -> None:
        """Begins a pass over validation."""
        # What others evaluated in between is not part of the validation.
        self.start_pass("validation")
        if self.answers is not None:
            self.answers.restart()
        if not self.preprocessing.is_settled("validation"):
            stream = self.stream("validation")
            stream.forget_samples()
            self.preprocessing.expect_like(stream, self.stream("train"))

    def count(self, name: str, batch: int) -> None:
        """Counts up to that batch of the pass, and looks or writes if that is due."""
        passes = self._passes[name]
        passes.advance(batch)
        due = self.preprocessing.is_due(name, passes.batches)
        writes = isinstance(self.update_freq, int) and name == "train"
        write = writes and passes.crossed(int(self.update_freq))
        if not (due or write or passes.must_drain):
            return
        self._drain(name)
        if due:
            self._look(name)
        if write:
            self.write()

    def finish_pass(self, name: str) -> None:
        """Judges what is left to judge, once a pass is over."""
        self._drain(name)
        if not self.preprocessing.is_settled(name):
            self._look(name, final=True)
        stream = self.stream(name)
        self.profiles[name] = stream.profile.with_values(stream.user_results())
        self._unseen.add(name)

    def compare(self, epoch: int | None, logs: dict[str, Any] | None) -> None:
        """Looks for shift once all passes of an epoch are over.

        Args:
            epoch: Counted from 1; None for a bare evaluation.
            logs: Keras's, to which the severities are added.
        """
        streams = {name: self.profiles[name] for name in sorted(self._unseen)}
        self._unseen.clear()
        if "target" in self.known:
            streams["target"] = self.known["target"]
            if self.answers is not None and "validation" in streams:
                weights = f"fit, {self.num_batches} batches"
                streams |= self.answers.read(streams, weights)
                self.profiles |= {name: streams[name] for name in ("validation", "target")}
        new = self.shift.look(streams, epoch)
        severities = {"shift": self.shift.severity("train")}
        if "validation" in streams:
            severities["val_shift"] = self.shift.severity("validation")
        if logs is not None:
            logs.update(severities)
        if self.shift.report is not None:
            pairs, report = self.shift.pairs, self.shift.report
            self.log.write_look(self.epoch, pairs, self.profiles, report, new, severities)
        self.shift.act(new)

    def adapt(self, logs: dict[str, Any]) -> str:
        """Repairs what the epoch showed, and says so."""
        said = ""
        target = self.known.get("target", self.profiles.get("validation"))
        if target is not None:
            said = self.repair.augment(self.profiles["train"], target, self.log, self.epoch)
        log_alignment(self.model, self.log, self.epoch, logs)
        return said

    def write(self) -> None:
        """Writes the numbers of the streams."""
        step = self.epoch if self.update_freq == "epoch" else self.num_batches
        self.log.write_profiles(self.profiles, step)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The verdict on the training stream, or on that of a bare evaluation."""
        found = self.preprocessing.diagnoses
        return found.get("train", None if self.training else found.get("validation"))

    @property
    def verdict(self) -> str:
        """What a person should read at the end; a mismatch was told at once."""
        diagnosis = self.diagnosis
        said = [] if diagnosis is None or diagnosis.status == "mismatch" else [str(diagnosis)]
        said += [] if self.shift.report is None else [str(self.shift.report)]
        if self.preprocessing.corrected:
            streams = " and ".join(sorted(self.preprocessing.corrected))
            said.append(
                f"ShiftGuard corrected the input of {streams} inside fit only: plain "
                "`model.predict` is uncorrected. Keep the fix with\n"
                "    model = guard.diagnosis.apply(model)"
            )
        return "\n".join(said)

    @property
    def num_batches(self) -> int:
        """How many batches of training there were."""
        return self._passes["train"].batches

    def stream(self, name: str) -> Stream:
        """What the step measures of one stream."""
        if self._probe is None:
            raise RuntimeError("the guard is not attached to a model")
        return self._probe.streams[name]

    def keep_state(self) -> None:
        """Keeps the state with which the next epoch begins, where there is a log."""
        if self.log.log_dir is not None:
            self.log.keep_state(self.epoch + 1, self.state())

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, for `profiles.storage`."""
        measured = {name: self.profiles[name] for name in self._passes if name in self.profiles}
        return {
            "batches": {name: passes.batches for name, passes in self._passes.items()},
            "position": {name: passes.position for name, passes in self._passes.items()},
            "profiles": {name: profile.tree() for name, profile in measured.items()},
            "preprocessing": self.preprocessing.state(),
            "shift": self.shift.state(),
            **self.repair.state(),
            "log": self.log.state(),
        }

    def restore(self, state: Mapping[str, Any], epoch: int) -> None:
        """Continues where `state()` was taken, with epoch number `epoch` (from 0)."""
        if self._probe is None:
            return
        self._sync()
        for name, passes in self._passes.items():
            passes.batches = state["batches"][name]
            passes.position = state["position"][name]
        self.profiles |= {n: InputProfile(**tree) for n, tree in state["profiles"].items()}
        self.preprocessing.restore(state["preprocessing"], self._probe.streams)
        self.shift.restore(state["shift"])
        self.repair.restore(state)
        self.log.go_on(epoch, state["log"], purge=self.update_freq == "epoch")

    def _drain(self, name: str) -> None:
        stream = self.stream(name)
        self._sync()
        self.profiles[name] = self._passes[name].drain(stream)

    def _look(self, name: str, final: bool = False) -> None:
        watch, stream = self.preprocessing, self.stream(name)
        if not watch.look(self.model, stream, self._passes[name].batches, final):
            return
        content = {each: found.to_dict() for each, found in watch.diagnoses.items()}
        self.log.write_diagnosis(name, str(watch.diagnoses[name]), content, self.epoch)
        watch.act(stream)

    def _sync(self) -> None:
        """Brings variables up to date: on JAX the steps of an epoch carry them along."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()


def _copies(metrics: Sequence[keras.metrics.Metric]) -> list[keras.metrics.Metric]:
    return [type(metric).from_config(metric.get_config()) for metric in metrics]
