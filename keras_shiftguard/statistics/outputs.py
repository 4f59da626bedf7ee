"""What a model answers, and the activations of one of its layers, sample by sample."""

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from keras import ops

from keras_shiftguard.profiles import OutputSummary
from keras_shiftguard.profiles.outputs import MAX_CLASSES_KEPT
from keras_shiftguard.statistics.classes import class_ids, probabilities, width_of
from keras_shiftguard.statistics.features import FeatureSketch
from keras_shiftguard.statistics.mean_embedding import EmbeddingSketch
from keras_shiftguard.statistics.state import State


class OutputSketch:
    """Accumulates an `OutputSummary` from outputs in inference mode.

    Args:
        width: Columns of the output.
        classes: Whether they are classes. One column: of two classes, "no"
            and "yes".
        layer: Name of the layer whose activations are embedded, or "".
        dimension: Length of its activation vectors.
    """

    def __init__(self, width: int, classes: bool, layer: str = "", dimension: int = 0) -> None:
        self.layer = layer
        self.num_classes = (max(width, 2) if classes else 0) if width else 0
        kept = self.num_classes if 0 < self.num_classes <= MAX_CLASSES_KEPT else 0
        names = ["confidence", "entropy", *(f"probability/{i}" for i in range(kept))]
        if not classes:
            names = [f"output/{i}" for i in range(width)]
        self.state = State("shiftguard_outputs")
        self.features = FeatureSketch(names, self.state, prefix="outputs")
        self.predicted = self.state.add("predicted", (self.num_classes,))
        self.confusion = self.state.add("confusion", (kept * kept,))
        # Past what a confusion matrix is kept for: right or wrong, by class.
        many = 0 if kept else self.num_classes
        self.labelled = self.state.add("labelled", (many,))
        self.right = self.state.add("right", (many,))
        self.embedding = EmbeddingSketch(dimension, self.state) if layer else None

    def update(self, outputs: Any, activations: Any = None, y: Any = None) -> None:
        """Adds one batch: outputs `(samples, width)`, activations `(samples, ...)`."""
        outputs = ops.cast(outputs, "float32")
        if self.embedding is not None and activations is not None:
            self.embedding.update(pooled(activations))
        if not self.num_classes:
            self.features.update(outputs)
            return
        p = probabilities(outputs)
        confidence = ops.max(p, axis=1)
        entropy = -ops.sum(p * ops.log(ops.maximum(p, 1e-12)), axis=1)
        columns = [ops.stack([confidence, entropy], axis=1)]
        kept = int(np.sqrt(self.confusion.shape[0]))
        if kept:
            columns.append(p)
        self.features.update(ops.concatenate(columns, axis=1))
        finite = ops.cast(ops.all(ops.isfinite(p), axis=1), "float32")
        said = ops.cast(ops.argmax(p, axis=1), "int32")
        counted = ops.segment_sum(finite, said, num_segments=self.num_classes)
        self.predicted.assign(self.predicted + counted)
        width = width_of(y)
        if not width:
            return
        ids, valid = class_ids(y, width)
        if not kept:
            many = self.num_classes
            valid = valid * finite * ops.cast(ids < many, "float32")
            where = ops.minimum(ids, many - 1)
            counts = ops.segment_sum(valid, where, num_segments=many)
            hits = valid * ops.cast(ops.equal(where, said), "float32")
            self.labelled.assign(self.labelled + counts)
            self.right.assign(self.right + ops.segment_sum(hits, where, num_segments=many))
        else:
            valid = valid * finite * ops.cast(ids < kept, "float32")
            cell = ops.minimum(ids, kept - 1) * kept + said
            cells = ops.segment_sum(valid, cell, num_segments=kept * kept)
            self.confusion.assign(self.confusion + cells)

    def drain(self, weights: str) -> OutputSummary:
        """What was accumulated since the last call.

        Args:
            weights: Fingerprint of the weights that the model had.
        """
        pieces = []
        for values in self.state.read():
            kept = int(np.sqrt(len(values["confusion"])))
            embedding = {}
            if self.embedding is not None:
                embedding = {"embedding": self.embedding.read(values)}
            pieces.append(
                OutputSummary(
                    weights=weights,
                    num_classes=self.num_classes,
                    features=self.features.read(values),
                    predicted=values["predicted"].astype("int64"),
                    confusion=values["confusion"].reshape(kept, kept).astype("int64"),
                    layer=self.layer,
                    **embedding,
                    labelled=values["labelled"].astype("int64"),
                    right=values["right"].astype("int64"),
                )
            )
        self.state.reset()
        return reduce(add, pieces)


def pooled(activations: Any) -> Any:
    """`(samples, features)`: the mean over all axes in between."""
    activations = ops.cast(activations, "float32")
    if len(activations.shape) == 1:
        return ops.expand_dims(activations, 1)
    if len(activations.shape) == 2:
        return activations
    return ops.mean(activations, axis=tuple(range(1, len(activations.shape) - 1)))
