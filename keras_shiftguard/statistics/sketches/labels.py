"""Statistics of labels: class frequencies, regression targets, and inputs by class."""

from typing import Any

from keras import ops

from keras_shiftguard.profiles import FeatureTable, LabelSummary
from keras_shiftguard.profiles.embedding import NUM_DIRECTIONS
from keras_shiftguard.profiles.labels import MAX_CLASSES, MAX_CLASSES_EMBEDDED
from keras_shiftguard.statistics.batch import row_mask
from keras_shiftguard.statistics.classes import class_ids, is_mixture, width_of
from keras_shiftguard.statistics.compiled import compiled_once, drained
from keras_shiftguard.statistics.sketches.features import FeatureSketch
from keras_shiftguard.statistics.sketches.pivot_sums import read_moments
from keras_shiftguard.statistics.state import State

# Largest number of label columns that are measured as numbers. Variables are created for this many
# columns, before the first batch shows the number of columns. Labels with more columns are classes,
# or too many targets to report by name. A convention.
MAX_TARGETS = 16


class LabelSketch:
    """Accumulates a `LabelSummary`.

    `classes.py` defines which labels are class ids. `update` is called with all samples, and counts
    the classes. `measure` is called with a part of the samples. It adds the label columns as
    numbers, and the moments of the input's random projections by class.

    >>> sketch = LabelSketch()
    >>> sketch.update(keras.ops.convert_to_tensor([0, 2, 2]))
    >>> sketch.drain().counts[:4].tolist()
    [1, 0, 2, 0]
    """

    def __init__(self) -> None:
        self.state = State("shiftguard_labels")
        self.num_samples = self.state.add("num_samples", ())
        self.num_ids = self.state.add("num_ids", ())  # samples whose label is a class
        self.num_mixed = self.state.add("num_mixed", ())  # labels that are mixtures of classes
        self.counts = self.state.add("counts", (MAX_CLASSES,))  # by class id modulo MAX_CLASSES
        self.details = State("shiftguard_labels")
        names = [str(i) for i in range(MAX_TARGETS)]
        self.targets = FeatureSketch(names, self.details, prefix="targets")
        # Moments of the input's random projections, by class id modulo MAX_CLASSES_EMBEDDED.
        shape = (MAX_CLASSES_EMBEDDED, NUM_DIRECTIONS)
        self.class_pivot = self.details.add("class_pivot", (NUM_DIRECTIONS,))
        self.class_count = self.details.add("class_count", (MAX_CLASSES_EMBEDDED, 1))
        self.class_first = self.details.add("class_first", shape)
        self.class_second = self.details.add("class_second", shape)
        self.width = 0  # number of columns of the labels; 0 until it is known

    def update(self, y: Any, rows: Any = None) -> None:
        """Counts the classes of the first `rows` samples of a batch; None counts all samples.

        Labels with another number of columns than the first ones are left out.
        """
        width = width_of(y)
        if width and self.width in (0, width):  # labels of another width are not comparable
            self.width = width
            compiled_once(self._update, self.state, "classes", y, rows)

    def _update(self, y: Any, rows: Any) -> None:
        ids, valid = class_ids(y, width_of(y))
        number = ops.ones_like(valid)
        if rows is not None:
            number = row_mask(y, rows)[:, 0]
            valid = valid * number
        self.num_samples.assign(self.num_samples + ops.sum(number))
        self.num_ids.assign(self.num_ids + ops.sum(valid))
        mixed = ops.sum(valid * is_mixture(y, width_of(y)))
        self.num_mixed.assign(self.num_mixed + mixed)
        counted = ops.segment_sum(valid, ops.mod(ids, MAX_CLASSES), num_segments=MAX_CLASSES)
        self.counts.assign(self.counts + counted)

    def measure(
        self, y: Any, projections: Any, weight: Any, positions: Any = None, rows: Any = None
    ) -> None:
        """Adds samples to the statistics that cost more: targets, and projections by class.

        `projections` `(measured, NUM_DIRECTIONS)` and `weight` `(measured, 1)` are those of
        `EmbeddingSketch.update`. `positions` are those of the measured samples in the batch; None
        for all.
        """
        if (width := width_of(y)) and self.width in (0, width):
            tensors = (y, projections, weight, positions, rows)
            compiled_once(self._measure, self.details, "labels", *tensors)

    def _measure(self, y: Any, projections: Any, weight: Any, positions: Any, rows: Any) -> None:
        if positions is not None:
            y = ops.take(y, positions, axis=0)
        width = width_of(y)
        if width <= MAX_TARGETS:
            numbers = ops.cast(ops.reshape(y, (-1, width)), "float32")
            self.targets.update(ops.pad(numbers, ((0, 0), (0, MAX_TARGETS - width))), rows)
        ids, valid = class_ids(y, width)
        ids = ops.mod(ids, MAX_CLASSES_EMBEDDED)
        weight = weight * ops.expand_dims(valid, 1)
        number = ops.sum(weight)
        batch_mean = ops.sum(projections * weight, axis=0) / ops.maximum(number, 1.0)
        has_pivot = ops.sum(self.class_count.value) > 0
        pivot = ops.where(has_pivot, self.class_pivot.value, batch_mean)
        deviation = (projections - pivot) * weight
        sums = ops.segment_sum(
            ops.concatenate([weight, deviation, ops.square(deviation)], axis=1),
            ids,
            num_segments=MAX_CLASSES_EMBEDDED,
        )
        count, first, second = ops.split(sums, [1, 1 + NUM_DIRECTIONS], axis=1)
        self.class_pivot.assign(pivot)
        self.class_count.assign(self.class_count + count)
        self.class_first.assign(self.class_first + first)
        self.class_second.assign(self.class_second + second)

    def drain(self) -> LabelSummary:
        """Returns the summary since the last call, and resets the state. Runs on the host."""
        values = {**drained(self.state), **drained(self.details)}
        if not values["num_samples"]:
            return LabelSummary()
        table = self.targets.read(values)
        targets = table.only(table.names[: self.width]) if table.num_samples else FeatureTable()
        return LabelSummary(
            num_samples=int(values["num_samples"]),
            num_ids=int(values["num_ids"]),
            num_mixed=int(values["num_mixed"]),
            counts=values["counts"].astype("int64"),
            width=self.width,
            targets=targets,
            by_class=read_moments(values, "class"),
        )
