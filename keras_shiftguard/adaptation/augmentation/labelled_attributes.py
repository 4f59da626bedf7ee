"""What the first labelled images of training look like, kept on the device."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import class_ids, width_of
from keras_shiftguard.statistics.empty import is_empty
from keras_shiftguard.statistics.state import State

MOST_ROWS = 4096  # samples: the mean of one of ten classes is known to 5 % of a deviation


class LabelledAttributes:
    """The attributes of single images with the class of each, for the first of them.

    Moments of the whole stream cannot tell how it would look with another mix of
    classes; these rows can. Once the buffer is full, it costs nothing.

    Args:
        spec: The image input.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.state = State("shiftguard_labelled")
        width = len(names(spec)) + 1  # the last column is the class
        self.rows = self.state.add("rows", (MOST_ROWS, width), fill=-1.0)
        self.filled = self.state.add("filled", ())
        self.done = False  # PyTorch sees this and need not wait for the device

    def update(self, x: Any, y: Any) -> None:
        """Keeps what still fits of one batch. Runs inside the compiled step."""
        width = width_of(y)
        if not width or (self.done and keras.backend.backend() == "torch"):
            return
        filled, count = self.filled.value, ops.shape(x)[0]

        def merged() -> Any:
            ids, valid = class_ids(y, width)
            labels = ops.where(valid > 0, ops.cast(ids, "float32"), -1.0)
            values = ops.concatenate([attributes(x, self.spec), labels[:, None]], axis=1)
            source = ops.arange(MOST_ROWS, dtype="int32") - ops.cast(filled, "int32")
            fresh = ops.logical_and(source >= 0, source < count)
            new = ops.take(values, ops.clip(source, 0, count - 1), axis=0)
            return ops.where(fresh[:, None], new, self.rows.value)

        full = filled >= MOST_ROWS
        if keras.backend.backend() == "torch":
            self.done = bool(full)
        full = ops.logical_or(full, is_empty(x))
        self.rows.assign(ops.cond(full, lambda: self.rows.value, merged))
        after = filled + ops.cast(count, "float32")
        self.filled.assign(ops.minimum(after, float(MOST_ROWS)))

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Attributes `(samples, attributes)` and class ids `(samples,)`, of all replicas.

        Nothing where a label is not a class id.
        """
        parts = [kept["rows"][: int(kept["filled"])] for kept in self.state.read()]
        rows = np.concatenate(parts)
        values, labels = rows[:, :-1], rows[:, -1]
        if not np.all((labels >= 0) & (labels == np.floor(labels))):
            return values[:0], labels[:0].astype(int)
        return values, labels.astype(int)
