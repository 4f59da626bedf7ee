"""Collects the hints on images, labels and predictions for a diagnosis."""

from collections.abc import Mapping
from math import comb

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import no_gradients
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.io.batches import BATCH_SIZE
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.hints.content import (
    constant_hints,
    duplicate_hints,
    nonfinite_hints,
    overflow_hints,
    whole_division_hints,
    without_flat_edges,
)
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.label_hints import MAX_P_VALUE, check_labels
from keras_shiftguard.preprocessing.hints.resampling import resampling_hints
from keras_shiftguard.preprocessing.limits import FIRST_IMAGES, MAX_TRIAL_IMAGES
from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.classes import host_class_ids, host_probabilities

MAX_IMAGES = 256  # of the checks of images. A convention.


def remarks_of_images(
    samples: Mapping[str, np.ndarray],
    name: str,
    summary: InputSummary,
    structure: StructuralExpectation,
    observed: InputConvention,
) -> tuple[Hint, ...]:
    """Returns the hints from the images alone, the most certain first."""
    images = np.asarray(samples[name])
    if summary.layout == "channels_first":
        images = np.moveaxis(images, 1, -1)
    hints = _size_hints(summary, structure)
    if images.ndim == 4 and images.size and images.dtype.kind in "fiub":
        hints += _image_hints(images[:MAX_IMAGES].astype("float32", copy=False), observed)
    return tuple(sorted(hints, key=lambda hint: -hint.certainty))


def _image_hints(images: np.ndarray, observed: InputConvention) -> list[Hint]:
    hints, images = nonfinite_hints(images)
    hints += whole_division_hints(images)  # most of these images are flat, too
    more, images = constant_hints(images)
    hints += more
    if not len(images):
        return hints
    hints += duplicate_hints(images)
    images = images[:: -(-len(images) // MAX_TRIAL_IMAGES)]  # the others are slower
    hints += overflow_hints(images, observed)
    return hints + resampling_hints(without_flat_edges(images).mean(axis=-1, dtype="float32"))


def _size_hints(summary: InputSummary, expectation: StructuralExpectation) -> list[Hint]:
    """Returns a hint if the images have another size than the network was published with."""
    native = expectation.native_size
    # Published accuracies say nothing about weights that are not trained yet.
    if native is None or expectation.fresh or not summary.is_image or not summary.num_samples:
        return []
    smallest, largest = summary.smallest_size, summary.largest_size
    if smallest == largest == (native, native) or max(largest) == 0:
        return []
    size = f"{smallest[0]} by {smallest[1]}"
    if smallest != largest:
        size += f" up to {largest[0]} by {largest[1]}"
    top1 = expectation.published_top1
    published = "" if top1 is None else f" (published top-1 there: {100 * top1:.1f} %)"
    name = expectation.architecture or "the network"
    text = (
        f"The images are {size}; {name} was trained at {native} by {native}{published}. "
        "At other sizes accuracy is usually lower, unless it was trained again."
    )
    return [Hint("input_size", text, 0.9)]


def remarks_of_predictions(
    model: keras.Model, samples: Mapping[str, np.ndarray], name: str, labels: np.ndarray | None
) -> tuple[Hint, ...]:
    """Returns the hints from predictions: labels in another order, images transposed at one input.

    The network must be a trained classifier. A network with several outputs, or
    with maps as its output, gives no hints.
    """
    ids = None if labels is None else host_class_ids(labels)
    # Running the whole network takes longer than all other checks.
    limit = FIRST_IMAGES if ids is None else MAX_IMAGES
    some = {key: np.asarray(value)[:limit] for key, value in samples.items()}
    if len(some[name]) < FIRST_IMAGES:
        return ()
    p = _predict(model, some)
    if p is None:
        return ()
    hints = []
    if labels is not None and (hint := check_labels(p, labels[: len(p)])) is not None:
        hints.append(hint)
    height, width = some[name].shape[1:3]
    if some[name].ndim == 4 and height == width and not hints:
        p_transposed = _predict(model, {**some, name: np.swapaxes(some[name], 1, 2)})
        if p_transposed is not None:
            hints += _transposed(p, p_transposed, None if ids is None else ids[: len(p)])
    return tuple(hints)


def _transposed(p: np.ndarray, p_transposed: np.ndarray, ids: np.ndarray | None) -> list[Hint]:
    """Returns a hint if the network does better on transposed images, by a sign test.

    Without class ids, the confidences are compared.
    """
    if ids is None:
        confidence, confidence_transposed = p.max(axis=1), p_transposed.max(axis=1)
        better, worse = confidence_transposed > confidence, confidence_transposed < confidence
        what, only = "surer of", ""
    else:
        right, right_transposed = p.argmax(axis=1) == ids, p_transposed.argmax(axis=1) == ids
        better, worse = right_transposed & ~right, right & ~right_transposed
        what, only = "right about", "only "
    wins, losses = int(better.sum()), int(worse.sum())
    decided = wins + losses
    p_value = sum(comb(decided, k) for k in range(wins, decided + 1)) / 2**decided
    if p_value > MAX_P_VALUE:
        return []
    sentence = (
        f"Height and width may be exchanged: the network is {what} {wins} images {only}when they "
        f"are transposed, and {what} {losses} {only}as they are."
    )
    return [Hint("transposed", sentence, 0.9 if ids is not None else 0.6)]


def _predict(model: keras.Model, samples: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Returns class probabilities, `(n, classes)`; None if the model does not give such."""
    size = len(next(iter(samples.values())))
    outputs = []
    for start in range(0, size, BATCH_SIZE):
        batch = {key: value[start : start + BATCH_SIZE] for key, value in samples.items()}
        inputs = next(iter(batch.values())) if len(batch) == 1 else batch
        try:
            with no_gradients():
                x = ops.convert_to_tensor(inputs) if len(batch) == 1 else inputs
                y = model(x, training=False)
        except Exception:  # the model accepts its inputs in another form
            return None
        if isinstance(y, (list, tuple, dict)) or len(y.shape) != 2:
            return None
        outputs.append(np.asarray(ops.convert_to_numpy(ops.stop_gradient(y)), "float64"))
    y = np.concatenate(outputs)
    return host_probabilities(y) if is_classifier(model, y.shape[1]) else None
