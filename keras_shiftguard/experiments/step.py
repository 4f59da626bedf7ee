"""What a preprocessing step costs that only one of two streams has, by undoing the step."""

from dataclasses import replace
from typing import Any

from keras_shiftguard.detection.causes.explanation import Explanation
from keras_shiftguard.detection.cost import MIN_SAMPLES, Cost, cost_of
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.targets import are_inputs, changed_targets
from keras_shiftguard.operations.repair import Repair
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows


def cost_of_step(
    predict: Predict, current: Labelled, spec: InputSpec, step: Explanation, judge: Judge
) -> Cost | None:
    """Returns the cost of a preprocessing step that only `current` has, by undoing the step.

    The step turns images like those of the reference into `current`. The result is None if there
    are fewer than `MIN_SAMPLES` images.
    """
    images, labels = current.images, current.labels
    if len(labels) < MIN_SAMPLES:
        return None
    repair = undoing(step, spec)
    undo = Repair(**repair)
    repaired: Any = in_chunks(undo, current.input(spec.name))
    labels_repaired = labels
    if are_inputs(images, labels):  # a layer for the samples cannot change their targets
        labels_repaired = changed_targets(labels, spec.name, lambda y: in_chunks(undo, y))
        repair = {}
    if isinstance(images, Rows):
        repaired = Rows({**images.tree, spec.name: repaired})
    before = judge.worth(predict(images), labels)
    after = judge.worth(predict(repaired), labels_repaired)
    return replace(cost_of(after, before, judge.unit(before), judge.metric), repair=repair or None)


def undoing(step: Explanation, spec: InputSpec) -> dict[str, Any]:
    """Returns what undoes a step, as the arguments of `Repair`."""
    units = (1 / step.scale).tolist(), (-step.offset / step.scale).tolist()
    operations: list[list[Any]] = [["units", units]]
    if spec.layout == "features":
        return {"operations": operations}
    operations += [["swap_channels", 1.0]] if step.swapped else []
    is_first = spec.layout == "channels_first"
    return {"operations": operations, "low": 0.0, "high": 1.0, "channels_first": is_first}
