"""Recognition of resampled training: as many samples of each class, against rare classes."""

import numpy as np

from keras_shiftguard.profiles import LabelSummary

MIN_OF_CLASS = 20  # with fewer samples of a class, equal numbers may be chance


def is_resampled(training: LabelSummary, validation: LabelSummary) -> bool:
    """Whether training has as many samples of each class, which validation has not.

    The numbers of training are more equal than chance makes them.
    """
    if not (training.are_classes and validation.are_classes):
        return False
    train, other = (each.counts[each.counts > 0] for each in (training, validation))
    are_many = len(train) > 1 and train.min() >= MIN_OF_CLASS
    return bool(are_many and np.ptp(train) <= 1 < np.ptp(other))
