"""`Sketch`: all statistics of one input."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.batch import InputSpec, PixelSums, pixel_sums
from keras_shiftguard.statistics.compiled import compiled_once, drained
from keras_shiftguard.statistics.large_images import (
    is_large,
    projections_in_bands,
    sums_in_bands,
    thumbnails_in_bands,
)
from keras_shiftguard.statistics.sketches.counts import Counts
from keras_shiftguard.statistics.sketches.details import Details
from keras_shiftguard.statistics.sketches.fingerprint import Fingerprint, projected
from keras_shiftguard.statistics.sketches.lattice import Lattice
from keras_shiftguard.statistics.sketches.moments import Extremes, Moments
from keras_shiftguard.statistics.sketches.quantiles import Quantiles
from keras_shiftguard.statistics.sketches.sampled_pixels import SampledPixels
from keras_shiftguard.statistics.spread import in_parts
from keras_shiftguard.statistics.state import State


class Part(NamedTuple):
    """Some measured samples of a batch.

    Attributes:
        projections: Their random projections, see `EmbeddingSketch.update`; None if features and
            embeddings are not measured.
        weight: 1.0 for a sample with finite projections, else 0.0; None as above.
        positions: Their positions in the batch; None for all samples.
        rows: Number of samples, if the rows after them are padding; None for all.
    """

    projections: Any
    weight: Any
    positions: Any
    rows: Any


class Sketch:
    """Accumulates all statistics of one input; `drain` returns and resets them.

    `count` is fast, and is called with every sample. In a long pass, `measure` is called with only
    a part of the samples.

    Example:

    >>> sketch = Sketch(InputSpec("input", "features", channels=2))
    >>> x = keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 6.0]])
    >>> sketch.count(x)
    >>> _ = sketch.measure(x)
    >>> summary = sketch.drain()
    >>> summary.num_samples, summary.mean.tolist(), summary.features.mean("0")
    (2, [2.0, 4.0], 2.0)
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        # Key of the cached functions. Inputs that differ only in name share these functions.
        self._kind = replace(spec, name="")
        self.state = State("shiftguard")
        self.counts, self.fingerprint = Counts(spec, self.state), Fingerprint(self.state)
        # Each of the three updates has a state of its own: the variables of another one would only
        # be passed through its compiled function.
        self.pixel_state = State("shiftguard_measured")
        self.moments = Moments(spec, self.pixel_state)
        self.pixel_statistics = (self.moments, Extremes(spec, self.pixel_state))
        self.sample_state = State("shiftguard_measured")
        self.sampled_statistics = (
            Quantiles(spec, self.sample_state),
            Lattice(spec, self.sample_state),
        )
        self.details = Details(spec, self.sample_state)

    def count(self, x: Any, rows: Any = None) -> None:
        """Adds every sample of a batch to the counts and the fingerprint."""
        projections = projections_in_bands(x, self.state) if is_large(x, self.spec) else None
        tensors = x, rows, projections
        compiled_once(self._count, self.state, ("counted", self._kind), *tensors)

    def _count(self, x: Any, rows: Any, projections: Any) -> None:
        self.counts.update(x, rows)
        self.fingerprint.add(projected(x) if projections is None else projections, rows)

    def measure(
        self,
        x: Any,
        rows: Any = None,
        chosen: np.ndarray | None = None,
        details: bool = True,
    ) -> list[Part]:
        """Adds a batch to all statistics of the values.

        `chosen` are the positions of the samples of the batch that are added to the sampled pixels,
        the features and the embedding, which cost more than the moments; None for all. Returns
        these samples, in one part or, if they were chosen, in the parts of `in_parts`.
        """
        large = is_large(x, self.spec)
        if large:
            self._measure_large_pixels(x, rows)
        else:
            compiled_once(self._measure_pixels, self.pixel_state, ("pixels", self._kind), x, rows)

        def update(x: Any, positions: Any, rows: Any, thumbnails: Any) -> tuple[Any, Any]:
            return self._measure_samples(x, positions, rows, details, thumbnails)

        parts: list[tuple[Any, Any]] = [(None, rows)]
        if chosen is not None:
            parts = in_parts(chosen, x.shape[0], rows)
        key = ("samples", self._kind, details)
        thumbnails = thumbnails_in_bands(x, self.spec) if large and details else None
        found = []
        for positions, number in parts:
            tensors = x, positions, number, thumbnails
            projections, weight = compiled_once(update, self.sample_state, key, *tensors)
            found.append(Part(projections, weight, positions, number))
        return found

    def _measure_pixels(self, x: Any, rows: Any) -> None:
        pivot = self.moments.pivot_for(x, self.spec)
        self._add_sums(*pixel_sums(x, self.spec, pivot, rows))

    def _measure_large_pixels(self, x: Any, rows: Any) -> None:
        def pivot_for(x: Any) -> Any:
            return self.moments.pivot_for(x, self.spec)

        state = self.pixel_state
        pivot = compiled_once(pivot_for, state, ("pivot", self._kind), x)
        sums = sums_in_bands(x, self.spec, pivot, state, rows)
        compiled_once(self._add_sums, state, ("sums", self._kind), *sums)

    def _add_sums(self, *sums: Any) -> None:
        for statistic in self.pixel_statistics:
            statistic.update(PixelSums(*sums))

    def _measure_samples(
        self, x: Any, positions: Any, rows: Any, details: bool, thumbnails: Any
    ) -> tuple[Any, Any]:
        if positions is not None:
            x = ops.take(x, positions, axis=0)
            if thumbnails is not None:
                thumbnails = ops.take(thumbnails, positions, axis=0)
        pixels = SampledPixels(x, self.spec, rows)
        for sampled in self.sampled_statistics:
            sampled.update(pixels)
        return self.details.update(x, rows, thumbnails) if details else (None, None)

    def drain(self) -> InputSummary:
        """Returns the summary since the last call, and resets the state. Runs on the host."""
        values = drained(self.state)
        of_pixels, of_samples = drained(self.pixel_state), drained(self.sample_state)
        fields: dict[str, Any] = {"layout": self.spec.layout}
        for counted in (self.counts, self.fingerprint):
            fields.update(counted.read(values))
        for statistic in self.pixel_statistics:
            fields.update(statistic.read(of_pixels))
        for sampled in self.sampled_statistics:
            fields.update(sampled.read(of_samples))
        fields.update(self.details.read(of_samples))
        return InputSummary(**fields)
