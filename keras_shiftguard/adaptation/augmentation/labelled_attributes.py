"""`LabelledAttributes`: a device buffer of the attributes and classes of training images."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.classes import class_ids, width_of
from keras_shiftguard.statistics.state import State

# Size of the buffer. With ten equally frequent classes, the standard error of a class mean is
# then 5 % of the standard deviation within the class.
MAX_SAMPLES = 4096


class LabelledAttributes:
    """A buffer of the attributes and the classes of the first training images.

    The attributes for another mix of classes can be computed from the buffer, but not from the
    moments of the whole stream. Once the buffer is full, no more images are measured.

    Args:
        spec: The image input.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.state = State("shiftguard_labelled")
        width = len(names(spec)) + 1  # the last column is the class
        self.rows = self.state.add("rows", (MAX_SAMPLES, width), fill=-1.0)
        self.filled = self.state.add("filled", ())
        # On PyTorch: whether the buffer is full. Later steps check this flag, because reading
        # `filled` would wait for the device.
        self.done = False

    def update(self, x: Any, y: Any, rows: Any = None) -> None:
        """Adds samples of a batch until the buffer is full.

        Args:
            x: The batch of images.
            y: The labels of the batch. Nothing is added if they are None.
            rows: Number of samples, if the rows after them are padding; None for all.
        """
        width = width_of(y)
        if not width or (self.done and keras.backend.backend() == "torch"):
            return
        filled, count = self.filled.value, ops.shape(x)[0] if rows is None else rows

        def merged() -> Any:
            ids, valid = class_ids(y, width)
            labels = ops.where(valid > 0, ops.cast(ids, "float32"), -1.0)
            values = ops.concatenate([attributes(x, self.spec), labels[:, None]], axis=1)
            # For each row of the buffer, the sample of the batch that belongs there.
            source = ops.arange(MAX_SAMPLES, dtype="int32") - ops.cast(filled, "int32")
            is_new = ops.logical_and(source >= 0, source < count)
            new = ops.take(values, ops.clip(source, 0, count - 1), axis=0)
            return ops.where(is_new[:, None], new, self.rows.value)

        is_full = filled >= MAX_SAMPLES
        if keras.backend.backend() == "torch":
            self.done = bool(is_full)
        self.rows.assign(ops.cond(is_full, lambda: self.rows.value, merged))
        total = filled + ops.cast(count, "float32")
        self.filled.assign(ops.minimum(total, float(MAX_SAMPLES)))

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns attributes `(samples, attributes)` and class ids `(samples,)`.

        Both are empty if any label is not a class id.
        """
        state = self.state.read()
        rows = state["rows"][: int(state["filled"])]
        values, labels = rows[:, :-1], rows[:, -1]
        if not np.all((labels >= 0) & (labels == np.floor(labels))):
            return values[:0], labels[:0].astype(int)
        return values, labels.astype(int)
