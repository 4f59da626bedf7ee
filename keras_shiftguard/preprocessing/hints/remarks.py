"""What else about the images and labels deserves a look, gathered for the verdict."""

from collections.abc import Mapping
from math import comb

import keras
import numpy as np
from keras import ops

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.image_hints import hints_for
from keras_shiftguard.preprocessing.hints.label_hints import check_labels
from keras_shiftguard.profiles import InputSummary
from keras_shiftguard.statistics.classes import host_class_ids, host_probabilities

# The hints ask the whole network, which costs more than all the rest: a few
# images without labels, more of them where labels came along.
FEW, MANY = 16, 256
BATCH = 32
SURE = 1e-3  # of each sign test


def remarks_of_images(
    samples: Mapping[str, np.ndarray],
    name: str,
    summary: InputSummary,
    structure: StructuralExpectation,
    observed: InputConvention,
) -> tuple[Hint, ...]:
    """Hints from the images alone.

    Args:
        samples: Images as fed, by input name.
        name: The input in question.
        summary: Its profile.
        structure: What the structure expects there.
        observed: What was fed.
    """
    images = np.asarray(samples[name])
    if summary.layout == "channels_first":
        images = np.moveaxis(images, 1, -1)
    hints = hints_for(images, summary, structure, observed)
    # Published accuracies say nothing about weights that are not trained yet.
    return tuple(hint for hint in hints if not (structure.fresh and hint.name == "input_size"))


def remarks_of_predictions(
    model: keras.Model, samples: Mapping[str, np.ndarray], name: str, labels: np.ndarray | None
) -> tuple[Hint, ...]:
    """Hints from what the network predicts: labels in another order, transposed images.

    For a network that is in use, not one about to be trained; a network with
    several outputs, or one that does not classify, gives none.
    """
    ids = None if labels is None else host_class_ids(labels)
    some = {
        key: np.asarray(value)[: FEW if ids is None else MANY] for key, value in samples.items()
    }
    if len(some[name]) < FEW:
        return ()
    p = _predict(model, some)
    if p is None:
        return ()
    hints = []
    if labels is not None and (finding := check_labels(p, labels[: len(p)])) is not None:
        hints.append(Hint(f"labels_{finding.kind}", finding.sentence, finding.certainty))
    height, width = some[name].shape[1:3]
    if height == width and not hints:
        turned = _predict(model, {**some, name: np.swapaxes(some[name], 1, 2)})
        if turned is not None:
            hints += _transposed(p, turned, None if ids is None else ids[: len(p)])
    return tuple(hints)


def _transposed(p: np.ndarray, turned: np.ndarray, ids: np.ndarray | None) -> list[Hint]:
    if ids is None:
        better, worse = turned.max(axis=1) > p.max(axis=1), turned.max(axis=1) < p.max(axis=1)
        what = "the network is surer of"
    else:
        right, right_turned = p.argmax(axis=1) == ids, turned.argmax(axis=1) == ids
        better, worse = right_turned & ~right, right & ~right_turned
        what = "the network is right about, and only then,"
    wins, losses = int(better.sum()), int(worse.sum())
    chance = sum(comb(wins + losses, k) for k in range(wins, wins + losses + 1)) / 2 ** (
        wins + losses
    )
    if chance > SURE:
        return []
    sentence = (
        f"Height and width may be exchanged: transposed, {what} {wins} of the images, and "
        f"{losses} as they are."
    )
    return [Hint("transposed", sentence, 0.9 if ids is not None else 0.6)]


def _predict(model: keras.Model, samples: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Class probabilities, `(n, classes)`; None if the model gives nothing of the kind."""
    size = len(next(iter(samples.values())))
    outputs = []
    for start in range(0, size, BATCH):
        batch = {key: value[start : start + BATCH] for key, value in samples.items()}
        inputs = next(iter(batch.values())) if len(batch) == 1 else batch
        try:
            y = model(ops.convert_to_tensor(inputs) if len(batch) == 1 else inputs, training=False)
        except Exception:  # a model that takes its inputs otherwise: no remark then
            return None
        if isinstance(y, (list, tuple, dict)) or len(y.shape) != 2:
            return None
        outputs.append(np.asarray(ops.convert_to_numpy(ops.stop_gradient(y)), "float64"))
    p = host_probabilities(np.concatenate(outputs))
    return p if p.ndim == 2 and p.shape[1] > 1 else None
