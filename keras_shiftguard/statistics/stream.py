"""`Stream`: all statistics of one stream of data, such as training or validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import keras
import numpy as np

from keras_shiftguard.errors import warn
from keras_shiftguard.profiles import InputProfile, LabelSummary
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import width_of
from keras_shiftguard.statistics.gathered import Batch, Gathered
from keras_shiftguard.statistics.kept_samples import KeptSamples
from keras_shiftguard.statistics.padding import Padding
from keras_shiftguard.statistics.repeated_batches import RepeatedBatches
from keras_shiftguard.statistics.schedule import ROWS, samples_per_step, stride_for
from keras_shiftguard.statistics.sketch import Sketch
from keras_shiftguard.statistics.sketches.labels import LabelSketch
from keras_shiftguard.statistics.spread import spread

# Samples of a model with more inputs than this are not kept: they would take too much memory, and
# an experiment tries one input at a time. A convention.
MAX_INPUTS = 16


class Stream:
    """The sketches, kept samples and corrections of one stream.

    `update` is called for each batch, before the compiled step and outside it. `drain` and
    `restart` read and reset the statistics.

    Args:
        name: Name of the stream.
        correction: Function that makes the correction of an image input from its
            specification, such as the class `StepCorrection`; None for no corrections.
        metrics: The user's own metrics, whose `update_state` takes `x`.
        columns: Names of the columns of tables of pandas, by name of the input.
        is_dict: Whether the user's inputs are a dict.
    """

    def __init__(
        self,
        name: str,
        correction: Callable[[InputSpec], Any] | None = None,
        metrics: Sequence[keras.metrics.Metric] = (),
        columns: Mapping[str, tuple[str, ...]] | None = None,
        is_dict: bool = False,
    ) -> None:
        self.stream = name
        self._columns, self._is_dict = columns or {}, is_dict
        self.profile = InputProfile()
        self.is_built = False
        self.sketches: dict[str, Sketch] = {}
        self.labels: LabelSketch | None = None
        self.leaves_out_labels = False  # whether labels came that cannot be measured
        self.stride = 1  # every `stride`-th step is measured
        self._kept_stride = 1  # samples of every such step are kept, unless the buffers are held
        self._per_batch = ROWS  # largest number of samples of a step whose attributes are measured
        self._step = 0  # number of steps since the beginning of the pass
        self._plan: tuple[int | None, bool, bool] | None = None  # until the batch size is known
        self.measures_every_step = False  # whether steps in between are measured as well
        self.kept_samples: dict[str, KeptSamples] = {}  # of images
        self.kept_rows: dict[str, KeptSamples] = {}  # of the only input, if it is not of images
        self.kept_others: dict[str, KeptSamples] = {}  # of all inputs but images, if several
        self.corrections: dict[str, Any] = {}
        self._new_correction = correction
        self.user_metrics = list(metrics)
        self._padding = Padding()
        self._gathered = Gathered()
        self.repeated_batches = RepeatedBatches()  # of the current pass; empty for training
        self._is_empty = True  # no sample since the latest `drain` or `restart`

    def build(self, specs: Sequence[InputSpec]) -> None:
        """Creates the variables for inputs of these specifications."""
        names, is_dict = self._columns, self._is_dict
        specs = [replace(s, columns=names.get(s.name, ()), is_entry=is_dict) for s in specs]
        images = [spec for spec in specs if spec.layout != "features"]
        self.sketches.update({spec.name: Sketch(spec) for spec in specs})
        self.labels = LabelSketch()
        kept = {s.name: KeptSamples(s, keeps_targets=s is specs[0]) for s in specs}
        self.kept_samples.update({spec.name: kept[spec.name] for spec in images})
        rows = [spec for spec in specs if spec.layout == "features"]
        if len(specs) == 1 and not images:
            self.kept_rows[specs[0].name] = kept[specs[0].name]
        elif len(specs) <= MAX_INPUTS:
            self.kept_others.update({spec.name: kept[spec.name] for spec in rows})
        if self._new_correction is not None:
            self.corrections.update({spec.name: self._new_correction(spec) for spec in images})
        self.is_built = True

    def update(self, inputs: Mapping[str, Any], x: Any, y: Any = None) -> None:
        """Adds one batch.

        `x` has the structure that the user's pipeline yields, for the user's metrics.
        """
        self._add(inputs, y)
        for metric in tuple(self.user_metrics):
            try:
                metric.update_state(x)
            except Exception as error:  # the user's own code may raise anything
                self.user_metrics.remove(metric)
                warn(
                    f"ShiftGuard leaves out the statistic {metric.name!r} of {self.stream}, which "
                    f"cannot be updated: {error!r}"
                )

    def _add(self, inputs: Mapping[str, Any], y: Any) -> None:
        """Adds one batch to everything but the user's metrics."""
        if any(not x.shape[0] for x in inputs.values()):
            return  # with several replicas, some may get no sample of the last batch
        self._is_empty = False
        sizes = {x.shape[0] for x in inputs.values()}
        if width_of(y) and len(sizes | {y.shape[0], None}) > 2:  # TensorFlow may not know a size
            y = None  # these are labels of parts of a sample, such as the steps of a sequence
            self.leaves_out_labels = True
        self.leaves_out_labels |= y is not None and not width_of(y)
        fed, labels = inputs, y
        if self._plan is not None and inputs:
            self._follow_plan(max(sizes))
        is_measured = self.measures_every_step or self._step % self.stride == 0
        if keras.backend.backend() == "torch":
            # One copy to the device, not one in each operation.
            tensors = {name: keras.ops.convert_to_tensor(x) for name, x in inputs.items()}
            y = keras.ops.convert_to_tensor(y) if width_of(y) else None
            if tensors:
                chosen = self._chosen(max(sizes)) if is_measured else None
                self._add_gathered(self._gathered.add(Batch(tensors, y, chosen)))
        else:
            inputs, y, rows = self._padding(inputs, y)
            self._count(inputs, y, rows)
            if is_measured:
                size = next(iter(inputs.values())).shape[0] if inputs else 0
                chosen = self._chosen(size if rows is None else min(int(rows), size))
                self._measure(inputs, y, rows, chosen)
        keeps = self.measures_every_step or self._step % self._kept_stride == 0
        for name, samples in self._all_buffers.items():
            if name in fed and keeps:
                samples.update(fed[name], labels)
            elif name in fed:
                samples.pass_over(fed[name].shape[0])
        if is_measured and self.stream != "train" and fed:
            self.repeated_batches.add(next(iter(fed.values())))
        self._step += 1

    def _chosen(self, size: int) -> np.ndarray:
        """Returns the positions of a batch whose attributes are measured in this step."""
        return spread(size, self._per_batch, seed=self._step)

    def _add_gathered(self, due: Sequence[tuple[Batch, Batch | None]]) -> None:
        """Adds batches that were put together."""
        for everything, measured in due:
            self._count(everything.inputs, everything.y)
            if measured is not None:
                self._measure(measured.inputs, measured.y, None, measured.chosen)

    def _count(self, inputs: Mapping[str, Any], y: Any, rows: Any = None) -> None:
        """Adds samples to the counts of samples and labels, and to the fingerprint."""
        for name, sketch in self.sketches.items():
            if name in inputs:
                sketch.count(inputs[name], rows)
        if self.labels is not None:
            self.labels.update(y, rows)

    def _measure(
        self, inputs: Mapping[str, Any], y: Any, rows: Any, chosen: np.ndarray | None
    ) -> None:
        """Adds samples to the value statistics and to the detailed label statistics."""
        for i, (name, sketch) in enumerate(self.sketches.items()):
            if name not in inputs:
                continue
            parts = sketch.measure(inputs[name], rows, chosen)
            if i == 0 and self.labels is not None and width_of(y):
                for part in parts:
                    self.labels.measure(y, *part)

    def corrected(self, name: str, tensor: Any) -> Any:
        """Returns the tensor with the correction of its input applied, if there is one."""
        return self.corrections[name](tensor) if name in self.corrections else tensor

    def restart(self) -> None:
        """Resets the statistics and the profile before a new pass."""
        if not self._is_empty:
            self.drain()
        self.profile = InputProfile()
        self.repeated_batches = RepeatedBatches()
        self._step = 0

    def measure_every(self, stride: int, per_batch: int = ROWS) -> None:
        """Measures the next step and then every `stride`-th step; other steps are only counted.

        At a measured step, the moments and extremes use all samples of the batch, and the other
        statistics at most `per_batch` samples, evenly spread over the batch.
        """
        self.stride, self._per_batch, self._plan = stride, per_batch, None
        self._kept_stride = stride
        self._step = 0

    def plan_pass(self, steps: int | None, is_first: bool, repeats: bool) -> None:
        """Measures the steps of the next pass by the rule of `schedule.py`.

        `steps` is None if unknown; `repeats` tells whether the latest passes went over the same
        samples.
        """
        self._step = 0
        self._plan = (steps, is_first, repeats)

    def _follow_plan(self, batch_size: int) -> None:
        """Applies the rule to a pass whose first batch has `batch_size` samples.

        In a pass that repeats, the samples are held. After a resume there are none to hold: they
        are kept anew, from as many steps as in the first pass.
        """
        assert self._plan is not None
        (steps, is_first, repeats), self._plan = self._plan, None
        self.stride = stride_for(steps, batch_size, repeats)
        self._kept_stride = stride_for(steps, batch_size)
        self._per_batch = samples_per_step(steps, self.stride, is_first)
        self.spread_samples(-(-steps // self._kept_stride) if steps else None)

    def forget_samples(self) -> None:
        """Empties the buffers of samples, so that they fill again."""
        for buffer in self._all_buffers.values():
            buffer.reset()

    def hold_samples(self) -> None:
        """Adds no more samples to the buffers until `forget_samples`."""
        for buffer in self._all_buffers.values():
            buffer.hold()

    @property
    def has_samples(self) -> bool:
        """Whether any sample is kept."""
        return any(len(buffer.positions) for buffer in self.buffers.values())

    @property
    def buffers(self) -> dict[str, KeptSamples]:
        """The kept samples by input: images or, if there are none, rows."""
        return self.kept_samples or self.kept_rows

    @property
    def _all_buffers(self) -> dict[str, KeptSamples]:
        return {**self.buffers, **self.kept_others}

    def kept_together(self) -> dict[str, KeptSamples]:
        """Returns the kept samples of every input; empty if those of some input are not kept."""
        found = self._all_buffers
        are_all = self.sketches.keys() <= found.keys()
        return {name: found[name] for name in self.sketches} if are_all else {}

    def spread_samples(self, measured: int | None) -> None:
        """Spreads the kept samples over the `measured` batches of a pass (None: number unknown)."""
        for buffer in self._all_buffers.values():
            buffer.spread(measured)

    def drain(self) -> InputProfile:
        """Adds the statistics since the last call to `profile`; returns the added part."""
        self._add_gathered(self._gathered.take())
        inputs = {name: sketch.drain() for name, sketch in self.sketches.items()}
        labels = LabelSummary() if self.labels is None else self.labels.drain()
        piece = InputProfile(inputs, labels=labels)
        self.profile = self.profile + piece.with_columns(self._columns)
        self._is_empty = True
        return piece

    def samples(self, limit: int | None = None) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Returns the kept images of each image input, and their labels.

        The buffers of several inputs may hold images of different samples: each buffer has its own
        capacity, and leaves out images whose size differs from that of its first image. Only the
        samples that all buffers hold are returned. The labels are None if the stream has no labels,
        or if some of the labels are unknown. `limit` is the largest number of images to return, the
        earliest first.
        """
        images: dict[str, np.ndarray] = {}
        labels = np.zeros(0, dtype=int)
        buffers = self.kept_samples.values()
        in_all = reduce(np.intersect1d, [buffer.positions for buffer in buffers] or [labels])
        for name, buffer in self.kept_samples.items():
            which = np.isin(buffer.positions, in_all[:limit])
            images[name], labels = (part[which] for part in buffer.read())
        return images, labels if len(labels) and np.all(labels >= 0) else None

    def user_results(self) -> dict[str, float]:
        """Returns the scalar results of the user's own metrics, by name."""
        results: dict[str, float] = {}
        for metric in self.user_metrics:
            result = metric.result()
            named = result if isinstance(result, Mapping) else {metric.name: result}
            results.update(
                {name: float(keras.ops.convert_to_numpy(value)) for name, value in named.items()}
            )
        return results
