"""`RunMeasurement`: the probe of a run, from before its first batch until the model is restored."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_shiftguard.callback.preprocessing_watch import PreprocessingWatch
from keras_shiftguard.callback.repair import Repair
from keras_shiftguard.callback.runs.target_outputs import TargetOutputs, new_target_outputs
from keras_shiftguard.instrument.model_inputs import input_shapes, specs_of
from keras_shiftguard.instrument.steps.probe import Probe
from keras_shiftguard.instrument.undisturbed import undisturbed
from keras_shiftguard.preprocessing.expected.stated import check_inputs
from keras_shiftguard.statistics.stream import Stream

NOT_MEASURED = "input {!r} is not compared ({}): encode it as numbers before the model."
LABELS_LEFT_OUT = (
    "the labels are no single class or number: whether they differ from those of training is not "
    "compared, only the loss with them."
)


class RunMeasurement:
    """Measures the streams of a run, and corrects and augments their batches.

    Attributes:
        target_outputs: The model's outputs on the target; None without a readable target.
    """

    def __init__(
        self,
        model: keras.Model,
        kind: str,
        statistics: Sequence[keras.metrics.Metric],
        feature_layer: str | None,
    ) -> None:
        self._model, self._kind = model, kind
        self._statistics, self._feature_layer = statistics, feature_layer
        self.target_outputs: TargetOutputs | None = None
        self._probe: Probe | None = None
        self._not_compared: tuple[str, ...] = ()

    def attach(self, run_key: Any, preprocessing: PreprocessingWatch, repair: Repair) -> None:
        """Wraps the steps of the model, before the first batch.

        Raises:
            BadInputError: if the model does not accept the target, lacks `feature_layer`, or has
                other inputs than `expects` states.
            ShiftGuardError: if the steps cannot be wrapped.
        """
        model, shapes = self._model, input_shapes(self._model)
        specs = specs_of(shapes, model)
        channels = {spec.name: spec.channels for spec in specs if spec.layout != "features"}
        check_inputs(preprocessing.stated or {}, channels)
        corrects = preprocessing.on_mismatch == "fix"
        if self._kind == "prediction":
            self._probe = Probe(model, ["prediction"], corrects)
            self._probe.attach(run_key)
            return
        with undisturbed(model):
            self.target_outputs = new_target_outputs(model, self._feature_layer, repair.target)
        augmentation = None
        if self._kind == "train":
            augmentation = repair.new_augmentation(shapes)
            if shapes and augmentation is not None:
                augmentation.build(specs_of(shapes, model))
            repair.use(augmentation)
        outputs = None if self.target_outputs is None else self.target_outputs.outputs
        names = ["train", "validation"]
        self._probe = Probe(model, names, corrects, self._statistics, outputs, augmentation)
        self._probe.attach(run_key)

    def detach(self) -> None:
        """Restores the steps of the model."""
        if self._probe is not None:
            self._not_compared = _not_compared(self._probe)
            self._probe.detach()
            self._probe = None

    @property
    def is_attached(self) -> bool:
        """Whether the steps are wrapped."""
        return self._probe is not None

    @property
    def has_failed(self) -> bool:
        """Whether a batch could not be measured. The pass is then incomplete and not compared."""
        return self._probe is not None and self._probe.has_failed

    @property
    def streams(self) -> Mapping[str, Stream]:
        """The streams by name, while the steps are wrapped."""
        if self._probe is None:
            raise RuntimeError("the guard is not attached to a model")
        return self._probe.streams

    @property
    def not_compared(self) -> tuple[str, ...]:
        """Sentences about what of the data is not measured, also after the run."""
        return self._not_compared if self._probe is None else _not_compared(self._probe)

    def begin_batch(self, name: str) -> None:
        """Makes the probe measure the next batch as a batch of this stream."""
        if self._probe is not None:
            self._probe.begin_batch(name)

    def end_batch(self) -> None:
        """Measures nothing until the next batch begins."""
        if self._probe is not None:
            self._probe.end_batch()

    def stop(self) -> None:
        """Stops measuring batches; corrections and augmentation of the input go on."""
        if self._probe is not None:
            self._probe.has_failed = True

    def sync(self) -> None:
        """On JAX, copies the present weights from the step to the variables of the model."""
        if keras.backend.backend() == "jax":
            self._model.jax_state_sync()


def _not_compared(probe: Probe) -> tuple[str, ...]:
    """Returns sentences about what of the data a probe does not measure."""
    said = [NOT_MEASURED.format(name, why) for name, why in probe.unmeasured.items()]
    if any(stream.leaves_out_labels for stream in probe.streams.values()):
        said.append(LABELS_LEFT_OUT)
    return tuple(said)
