"""What a preprocessing step costs that only one of two streams has, by undoing the step."""

from typing import Any

from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.promise import promised
from keras_shiftguard.experiments.targets import are_inputs, changed_targets
from keras_shiftguard.operations.repair import Repair
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows


def cost_of_step(
    predict: Predict,
    current: Labelled,
    spec: InputSpec,
    step: Explanation,
    judge: Judge,
) -> Cost | None:
    """Returns the cost of a preprocessing step that only `current` has, by undoing the step.

    The result is None if there are fewer than `MIN_SAMPLES` images.

    Args:
        predict: Runs the model in inference mode; from samples to what the judge takes.
        current: Labelled images with the step.
        spec: Specification of the input with the step.
        step: The step that turns images like those of the reference into `current`.
        judge: How predictions are judged.
    """
    labels = current.labels
    if len(labels) < MIN_SAMPLES:
        return None
    repair = _undoing(step, spec)
    repaired: Any = in_chunks(Repair(**repair), current.input(spec.name))
    labels_repaired = labels
    if are_inputs(current.images, labels):  # a layer for the samples cannot change their targets
        undo = Repair(**repair)
        labels_repaired = changed_targets(labels, spec.name, lambda y: in_chunks(undo, y))
        repair = {}
    if isinstance(current.images, Rows):
        repaired = Rows({**current.images.tree, spec.name: repaired})
    before = judge.worth(predict(current.images), labels)
    after = judge.worth(predict(repaired), labels_repaired)
    promise = promised(before, after, judge.unit(before), judge.metric, ())
    return Cost(
        promise.gain,
        promise.interval,
        promise.num_samples,
        repair=repair or None,
        metric=judge.metric,
    )


def _undoing(step: Explanation, spec: InputSpec) -> dict[str, Any]:
    """Returns what undoes a step, as the arguments of `Repair`."""
    units = (1 / step.scale).tolist(), (-step.offset / step.scale).tolist()
    operations: list[list[Any]] = [["units", units]]
    if spec.layout == "features":
        return {"operations": operations}
    operations += [["swap_channels", 1.0]] if step.swapped else []
    is_first = spec.layout == "channels_first"
    return {"operations": operations, "low": 0.0, "high": 1.0, "channels_first": is_first}
