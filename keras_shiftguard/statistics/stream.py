"""Everything that is kept of one stream (training, validation) in the step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_shiftguard.profiles import InputProfile, LabelSummary
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import width_of
from keras_shiftguard.statistics.empty import unless_empty
from keras_shiftguard.statistics.first_samples import FirstSamples
from keras_shiftguard.statistics.labels import LabelSketch
from keras_shiftguard.statistics.occasional import ROWS, Occasional
from keras_shiftguard.statistics.sketch import Sketch


class Stream(keras.metrics.Metric):
    """Sketches, first images and corrections of one stream, as one Metric.

    A Metric because that is the state a compiled step may change on every
    backend. It adds nothing to the logs, and nothing resets it but `drain`.

    Args:
        name: Name of the stream, for people.
        correction: Makes, for the spec of an image input, a callable that maps
            the input as fed to the input as expected, with its variables in
            `.state`. None: nothing is ever corrected.
        metrics: The user's own metrics, whose `update_state` takes `x`.
    """

    def __init__(
        self,
        name: str,
        correction: Callable[[InputSpec], Any] | None = None,
        metrics: Sequence[keras.metrics.Metric] = (),
    ) -> None:
        super().__init__(name=f"shiftguard_{name}")
        self.stream = name
        self.profile = InputProfile()
        self.is_built = False
        self.sketches: dict[str, Sketch] = {}
        self.labels: LabelSketch | None = None
        self.occasional: Occasional | None = None
        self.stride = 1
        self.first_samples: dict[str, FirstSamples] = {}
        self.corrections: dict[str, Any] = {}
        self._correction = correction
        self.user_metrics = list(metrics)

    def build(self, specs: Sequence[InputSpec]) -> None:
        """Creates the variables, once it is known what the inputs look like."""
        images = [spec for spec in specs if spec.layout != "features"]
        self.sketches.update({spec.name: Sketch(spec) for spec in specs})
        self.labels = LabelSketch()
        self.occasional = Occasional(self.stride)
        self.first_samples.update({spec.name: FirstSamples(spec) for spec in images})
        if self._correction is not None:
            self.corrections.update({spec.name: self._correction(spec) for spec in images})
        parts = (*self.first_samples.values(), *self.corrections.values())
        states = [part.state for part in (*self.sketches.values(), *parts)]
        states += [self.labels.state, self.occasional.state]
        # Tracked through this attribute: on JAX they become part of the state
        # that the step takes and returns.
        self.state_variables = [v for state in states for v in state.variables]
        self.state_variables += self._detail_variables()
        self.is_built = True

    def _detail_variables(self) -> list[keras.Variable]:
        states = [sketch.detail_state for sketch in self.sketches.values()]
        states += [] if self.labels is None else [self.labels.details]
        return [v for state in states for v in state.variables]

    def reset_state(self) -> None:
        """Nothing: Keras calls this at every epoch, the host decides instead."""

    def update_state(self, inputs: Mapping[str, Any], x: Any, y: Any = None) -> None:
        """Adds one batch.

        Args:
            inputs: The tensors by the name of the input.
            x: The same as the user's pipeline yields it, for the user's metrics.
            y: Labels, if there are any.
        """
        if inputs:
            unless_empty(next(iter(inputs.values())), lambda: self._add(inputs, y))
        else:
            self._add(inputs, y)
        for metric in self.user_metrics:
            metric.update_state(x)

    def _add(self, inputs: Mapping[str, Any], y: Any) -> None:
        for name, sketch in self.sketches.items():
            if name in inputs:
                sketch.update(inputs[name])
        for name, samples in self.first_samples.items():
            if name in inputs:
                samples.update(inputs[name], y)
        if self.labels is not None and self.occasional is not None:
            self.labels.update(y)
            self.occasional.run(lambda: self._measure(inputs, y), self._detail_variables())

    def _measure(self, inputs: Mapping[str, Any], y: Any) -> None:
        """Adds some of a batch to the statistics that cost more."""
        for i, (name, sketch) in enumerate(self.sketches.items()):
            if name not in inputs:
                continue
            sketch.sample(inputs[name][:ROWS])
            projections, weight = sketch.measure(inputs[name][:ROWS])
            if i == 0 and self.labels is not None and width_of(y):
                self.labels.measure(y[:ROWS], projections, weight)

    def corrected(self, name: str, tensor: Any) -> Any:
        """The tensor as the model shall see it."""
        return self.corrections[name](tensor) if name in self.corrections else tensor

    def result(self) -> dict[str, Any]:
        return {}

    def restart(self) -> None:
        """Forgets the pass that was measured so far, to measure a new one."""
        for sketch in self.sketches.values():
            sketch.reset()
        if self.labels is not None:
            self.labels.reset()
        self.profile = InputProfile()
        self.measure_every(self.stride)

    def measure_every(self, stride: int) -> None:
        """Looks closely at the next step and at every `stride`-th after it.

        For the start of a pass, with what `stride_for` says. Quantiles, grids,
        features, embeddings and what classes look like are measured then, on
        `ROWS` samples at most; all else is measured on everything.
        """
        self.stride = stride
        if self.occasional is not None:
            self.occasional.start(stride)

    def forget_samples(self) -> None:
        """Lets the buffer of first images fill anew."""
        for kept in self.first_samples.values():
            kept.reset()

    def forget(self) -> None:
        """Starts as if it had just been built, for another run."""
        self.restart()
        self.forget_samples()
        for correction in self.corrections.values():
            correction.state.reset()
        self.measure_every(1)

    def drain(self) -> InputProfile:
        """Moves what the step has accumulated into `profile`; returns the new part."""
        inputs = {name: sketch.drain() for name, sketch in self.sketches.items()}
        labels = LabelSummary() if self.labels is None else self.labels.drain()
        piece = InputProfile(inputs, labels=labels)
        self.profile = self.profile + piece
        return piece

    def samples(self) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """The first images of each image input, and their labels if known."""
        images: dict[str, np.ndarray] = {}
        labels = np.zeros(0, dtype=int)
        for name, kept in self.first_samples.items():
            images[name], labels = kept.read()
        return images, labels if len(labels) and np.all(labels >= 0) else None

    def user_results(self) -> dict[str, float]:
        """The scalar results of the user's own metrics, by name."""
        results: dict[str, float] = {}
        for metric in self.user_metrics:
            result = metric.result()
            named = result if isinstance(result, Mapping) else {metric.name: result}
            results.update({name: float(np.asarray(value)) for name, value in named.items()})
        return results
