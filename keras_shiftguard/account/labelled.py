"""`Labelled`: labelled samples as the model is fed them, on which experiments are made."""

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import reduce
from typing import Any

import keras
import numpy as np

from keras_shiftguard.statistics.rows import Rows
from keras_shiftguard.statistics.stream import Stream

# From samples to what a `Judge` takes: class probabilities in inference mode, or, if a loss is
# judged, the samples themselves.
Predict = Callable[[Any], Any]


@dataclass(frozen=True)
class Labelled:
    """Labelled samples as the model is fed them."""

    # Images, 4D, or rows of a table or of series, `(samples, ...)`; `Rows` of them by name, if
    # there are several inputs.
    images: Any
    labels: Any  # class ids, `(samples,)`, or `Rows` of labels that are not classes
    # The place of each sample in the pass, `(samples,)`; None if unknown.
    positions: np.ndarray | None = None

    def first(self, number: int) -> "Labelled":
        """Returns the first samples, which are as random as all."""
        places = None if self.positions is None else self.positions[:number]
        return Labelled(self.images[:number], self.labels[:number], places)

    def input(self, name: str) -> np.ndarray:
        """Returns the samples of one input, `(samples, ...)`."""
        rows = self.images.tree[name] if isinstance(self.images, Rows) else self.images
        return np.asarray(rows)


def labelled(stream: Stream, corrected: bool = False, are_classes: bool = True) -> Labelled | None:
    """Returns the kept, labelled samples of a stream; there may be none.

    Returns None if there are no labels of this kind, or if only parts of the samples are kept (a
    frame of a long video, a crop of a large image). For a part of a sample, the model may predict
    something else.

    The order follows from the samples alone. So a measurement on the same samples has the same
    result, whether a pass was shuffled in another way or the fit was resumed.

    Args:
        stream: The stream.
        corrected: Whether the correction of the stream is applied to the images.
        are_classes: Whether the labels are class ids, and not numbers, masks or several labels.
    """
    kept = stream.kept_together()
    if not kept or not all(each.is_whole for each in kept.values()):
        return None
    together = reduce(np.intersect1d, [each.positions for each in kept.values()])
    first = next(iter(kept.values()))
    which = np.flatnonzero(np.isin(first.positions, together))
    labels: Any = first.read()[1] if are_classes else first.targets()
    if labels is None or (are_classes and (labels < 0).any()):
        return None
    inputs = {
        name: each.read_whole()[0][np.isin(each.positions, together)] for name, each in kept.items()
    }
    order = np.argsort([_hash(inputs, i) for i in range(len(which))], kind="stable")
    inputs = {name: x[order] for name, x in inputs.items()}
    if corrected:
        inputs = {
            name: np.asarray(keras.ops.convert_to_numpy(stream.corrected(name, x)))
            for name, x in inputs.items()
        }
    images = Rows(inputs) if len(inputs) > 1 else next(iter(inputs.values()))
    return Labelled(images, labels[which[order]], first.positions[which[order]])


def _hash(inputs: dict[str, np.ndarray], row: int) -> int:
    found = 0
    for x in inputs.values():
        found = zlib.crc32(x[row].tobytes(), found)
    return found


def remembering(predict: Callable[..., Any], samples: Collection[Any]) -> Callable[..., Any]:
    """Returns a `predict` that runs the model only once on each of the arrays `samples`.

    Several experiments need the predictions for the same unchanged samples. The model must keep
    its weights as long as the result is used. Arrays may be added to `samples` later. A function
    that also takes the labels, such as `Loss.of_samples`, must get the same ones each time.
    """
    known: dict[int, Any] = {}

    def remembered(x: Any, *labels: Any) -> Any:
        if not any(x is array for array in samples):
            return predict(x, *labels)
        key = id(x)  # stays unique, because `samples` holds the array
        if key not in known:
            known[key] = predict(x, *labels)
        return known[key]

    return remembered
