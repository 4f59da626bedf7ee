"""What larger images of validation win, if training crops its images at random.

Random crops are enlarged to the size of the input, so objects are larger in training than in whole
images. A model that was trained like that is right more often on enlarged images (Touvron et al.,
"Fixing the train-test resolution discrepancy", 2019). This is no fault of validation, but a gift.
"""

import numpy as np

from keras_shiftguard.experiments.candidates.candidates import image_candidates
from keras_shiftguard.experiments.halving import num_predictions
from keras_shiftguard.experiments.judge import Judge
from keras_shiftguard.experiments.labelled import Labelled, Predict
from keras_shiftguard.experiments.told import scale_of
from keras_shiftguard.experiments.undo import Promise, undo
from keras_shiftguard.operations.table import OPERATIONS
from keras_shiftguard.statistics.batch import InputSpec

ENLARGE = "zoom_in"


def predictions_for(num_samples: int) -> int:
    """Returns about how many predictions `gain_of_enlarging` makes, at most."""
    number = len(OPERATIONS[ENLARGE].strengths)
    return 2 * num_predictions(number, num_samples // 2) + 5 * num_samples


def gain_of_enlarging(
    predict: Predict,
    current: Labelled,
    training: Labelled | None,
    spec: InputSpec,
    judge: Judge,
    seed: int = 0,
) -> Promise:
    """Returns what enlarging the middle of the images of validation, 4D, wins."""
    candidates = image_candidates(scale_of(current, training, spec), [ENLARGE])
    x, labels = current.images, current.labels
    return undo(predict, x, labels, candidates, judge, seed=seed, control=training)


def in_words(promise: Promise) -> str:
    """Returns the gain as a note for the report."""
    strengths = np.asarray([chain[0].strength for chain in promise.choices if chain], "float64")
    factor = float(np.exp(strengths.mean()))
    low, high = (100 * end for end in promise.cost.interval)
    return (
        f"training shows objects larger than validation, as random crops do: with these weights, "
        f"enlarging the middle of validation images by {100 * (factor - 1):.0f} % wins "
        f"{100 * promise.cost.value:.1f} points of accuracy (a gain of {low:.1f} to {high:.1f} "
        f"points). Evaluate and predict with images {factor:.2g} times as large "
        "(Touvron et al., 2019)"
    )
