"""Collects the hints on images, labels and predictions for a diagnosis."""

from collections.abc import Mapping
from math import comb

import keras
import numpy as np
from keras import ops

from keras_shiftguard.instrument.layer_calls import no_gradients
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.image_hints import hints_for
from keras_shiftguard.preprocessing.hints.label_hints import check_labels
from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.classes import host_class_ids, host_probabilities

# Running the whole network takes longer than all other checks. So only a few images are used; if
# there are labels, more images are used.
MAX_UNLABELLED, MAX_LABELLED = 16, 256
MIN_IMAGES = 16  # with fewer, there are no hints from predictions
BATCH_SIZE = 32
MAX_P_VALUE = 1e-3  # largest p-value of the sign test for a hint


def remarks_of_images(
    samples: Mapping[str, np.ndarray],
    name: str,
    summary: InputSummary,
    structure: StructuralExpectation,
    observed: InputConvention,
) -> tuple[Hint, ...]:
    """Returns the hints from the images alone."""
    images = np.asarray(samples[name])
    if summary.layout == "channels_first":
        images = np.moveaxis(images, 1, -1)
    hints = hints_for(images, summary, structure, observed)
    # Published accuracies say nothing about weights that are not trained yet.
    return tuple(hint for hint in hints if not (structure.fresh and hint.name == "input_size"))


def remarks_of_predictions(
    model: keras.Model, samples: Mapping[str, np.ndarray], name: str, labels: np.ndarray | None
) -> tuple[Hint, ...]:
    """Returns the hints from predictions: labels in another order, transposed images.

    The network must be a trained classifier. A network with several outputs, or
    with maps as its output, gives no hints.

    Args:
        model: The network.
        samples: Images as fed, by input name.
        name: Name of the input that may be transposed.
        labels: Labels of the samples, or None.
    """
    ids = None if labels is None else host_class_ids(labels)
    limit = MAX_UNLABELLED if ids is None else MAX_LABELLED
    some = {key: np.asarray(value)[:limit] for key, value in samples.items()}
    if len(some[name]) < MIN_IMAGES:
        return ()
    p = _predict(model, some)
    if p is None:
        return ()
    hints = []
    if labels is not None and (finding := check_labels(p, labels[: len(p)])) is not None:
        hints.append(Hint(f"labels_{finding.kind}", finding.sentence, finding.certainty))
    height, width = some[name].shape[1:3]
    if some[name].ndim == 4 and height == width and not hints:
        p_transposed = _predict(model, {**some, name: np.swapaxes(some[name], 1, 2)})
        if p_transposed is not None:
            hints += _transposed(p, p_transposed, None if ids is None else ids[: len(p)])
    return tuple(hints)


def _transposed(p: np.ndarray, p_transposed: np.ndarray, ids: np.ndarray | None) -> list[Hint]:
    """Returns a hint if the network does better on transposed images, by a sign test.

    Args:
        p: Probabilities, `(n, classes)`.
        p_transposed: Probabilities of the transposed images, `(n, classes)`.
        ids: Class ids, `(n,)`. Without class ids, the confidences are compared.
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
    """Returns class probabilities, `(n, classes)`.

    The result is None if the output is not one matrix, if the model is no classifier, or if it
    cannot be called on the samples.
    """
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
