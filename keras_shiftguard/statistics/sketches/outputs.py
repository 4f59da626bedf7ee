"""`OutputSketch`: statistics of a model's outputs, and of the activations of one layer."""

from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import OutputSummary
from keras_shiftguard.profiles.outputs import MAX_CLASSES_IN_CONFUSION
from keras_shiftguard.statistics.batch import row_mask
from keras_shiftguard.statistics.classes import class_ids, probabilities, width_of
from keras_shiftguard.statistics.compiled import compiled_once, drained
from keras_shiftguard.statistics.padding import Padding
from keras_shiftguard.statistics.sketches.features import FeatureSketch
from keras_shiftguard.statistics.sketches.mean_embedding import EmbeddingSketch
from keras_shiftguard.statistics.state import State


class OutputSketch:
    """Accumulates an `OutputSummary` from outputs in inference mode.

    Args:
        width: Number of columns of the output.
        classes: Whether the columns are classes. A single column belongs to the
            second of two classes.
        layer: Name of the layer whose activations are embedded; "" for none.
        dimension: Number of features of an activation, after `pooled`.
    """

    def __init__(self, width: int, classes: bool, layer: str = "", dimension: int = 0) -> None:
        self.layer = layer
        self.width, self.dimension = width, dimension
        self.num_classes = (max(width, 2) if classes else 0) if width else 0
        # Number of classes in the confusion matrix; 0 if there are too many for one.
        size = self.num_classes if 0 < self.num_classes <= MAX_CLASSES_IN_CONFUSION else 0
        names = ["confidence", "entropy", *(f"probability/{i}" for i in range(size))]
        if not classes:
            names = [f"output/{i}" for i in range(width)]
        self.state = State("shiftguard_outputs")
        self.features = FeatureSketch(names, self.state, prefix="outputs")
        self.predicted = self.state.add("predicted", (self.num_classes,))
        self.confusion = self.state.add("confusion", (size * size,))
        # By class: the number of labeled samples, and of right predictions. Both are counted only
        # if there are too many classes for a confusion matrix.
        counted = 0 if size else self.num_classes
        self.labelled = self.state.add("labelled", (counted,))
        self.right = self.state.add("right", (counted,))
        self.embedding = EmbeddingSketch(dimension, self.state) if layer else None
        self._padding = Padding()

    def update(self, outputs: Any, activations: Any = None, y: Any = None) -> None:
        """Adds one batch."""
        key = ("outputs", self.num_classes, self.width, bool(self.layer), self.dimension)
        tensors = {"outputs": outputs}
        if activations is not None:
            tensors["activations"] = activations
        padded, labels, rows = self._padding(tensors, y if width_of(y) else None)
        arguments = (padded["outputs"], padded.get("activations"), labels, rows)
        compiled_once(self._update, self.state, key, *arguments)

    def _update(self, outputs: Any, activations: Any, y: Any, rows: Any) -> None:
        outputs = ops.cast(outputs, "float32")
        if self.embedding is not None and activations is not None:
            self.embedding.update(pooled(activations), rows)
        if not self.num_classes:
            self.features.update(outputs, rows)
            return
        p = probabilities(outputs)
        confidence = ops.max(p, axis=1)
        entropy = -ops.sum(p * ops.log(ops.maximum(p, 1e-12)), axis=1)
        columns = [ops.stack([confidence, entropy], axis=1)]
        size = int(np.sqrt(self.confusion.shape[0]))
        if size:
            columns.append(p)
        self.features.update(ops.concatenate(columns, axis=1), rows)
        finite = ops.cast(ops.all(ops.isfinite(p), axis=1), "float32")
        if rows is not None:
            finite = finite * row_mask(p, rows)[:, 0]
        predicted = ops.cast(ops.argmax(p, axis=1), "int32")
        counted = ops.segment_sum(finite, predicted, num_segments=self.num_classes)
        self.predicted.assign(self.predicted + counted)
        width = width_of(y)
        if not width:
            return
        ids, valid = class_ids(y, width)
        valid = valid * finite * ops.cast(ids < self.num_classes, "float32")
        ids = ops.minimum(ids, self.num_classes - 1)
        if size:
            cells = ops.segment_sum(valid, ids * size + predicted, num_segments=size * size)
            self.confusion.assign(self.confusion + cells)
        else:
            labelled = ops.segment_sum(valid, ids, num_segments=self.num_classes)
            hits = valid * ops.cast(ops.equal(ids, predicted), "float32")
            right = ops.segment_sum(hits, ids, num_segments=self.num_classes)
            self.labelled.assign(self.labelled + labelled)
            self.right.assign(self.right + right)

    def drain(self, weights: str) -> OutputSummary:
        """Returns the summary since the last call, and resets the state. Runs on the host.

        `weights` identifies the model's weights. Only summaries with the same text are compared.
        """
        values = drained(self.state)
        size = int(np.sqrt(len(values["confusion"])))
        embedding = {}
        if self.embedding is not None:
            embedding = {"embedding": self.embedding.read(values)}
        return OutputSummary(
            weights=weights,
            num_classes=self.num_classes,
            features=self.features.read(values),
            predicted=values["predicted"].astype("int64"),
            confusion=values["confusion"].reshape(size, size).astype("int64"),
            layer=self.layer,
            **embedding,
            labelled=values["labelled"].astype("int64"),
            right=values["right"].astype("int64"),
        )


def pooled(activations: Any) -> Any:
    """Averages activations over all axes but the first and the last: `(samples, features)`."""
    activations = ops.cast(activations, "float32")
    if len(activations.shape) == 1:
        return ops.expand_dims(activations, 1)
    if len(activations.shape) == 2:
        return activations
    return ops.mean(activations, axis=tuple(range(1, len(activations.shape) - 1)))
