"""`look` says once that samples of validation stand in training as well (a leak).

The model learns such samples by heart, so its accuracy on validation is too high. No comparison
shows it, because the streams are alike. Equal samples are found by hashes of the samples that the
guard keeps. Augmented training samples are no longer equal, so behind augmentation no leak is seen.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from keras_shiftguard.callback.checks.check import MIN_SHARE, Epoch, Told
from keras_shiftguard.callback.copies import hashes
from keras_shiftguard.detection.two_sample.tail_probabilities import BEYOND_CHANCE
from keras_shiftguard.detection.words.sentences import percent

EPOCHS = 2  # later epochs repeat the samples. A convention.


def look(state: bool | None, epoch: Epoch) -> tuple[bool, Told]:
    """Looks for equal samples in training and validation, until some were told.

    The state: whether a leak was told.
    """
    is_due = epoch.number is not None and epoch.number <= EPOCHS and not state
    if not is_due or not {"train", "validation"} <= epoch.passes.keys():
        return bool(state), Told()
    there, here = (hashes(epoch.streams[name]) for name in ("train", "validation"))
    leaked = leaked_share(there, here, epoch.passes["train"].num_samples)
    if leaked is None:
        return False, Told()
    note = (
        f"about {percent(leaked)} of the validation samples stand in training as well, so the "
        "accuracy on validation is too high: split the data before samples are copied, and "
        "keep each one in a single part"
    )
    return True, Told((note,))


def leaked_share(
    training: Sequence[int], validation: Sequence[int], num_training: int
) -> float | None:
    """Returns the share of validation samples that stand in training; None if hardly any do.

    >>> leaked_share(range(500), range(400, 800), 1000)  # half of training was kept
    0.5
    """
    if not training or not validation:
        return None
    known = Counter(training)
    found = sum(each in known for each in validation)
    natural = sum(number for number in known.values() if number > 1) / len(training)
    expected = natural * len(validation)
    kept = min(len(training) / max(num_training, 1), 1.0)
    leaked = (found - expected) / (len(validation) * kept)
    # Natural copies (black images, rows of few categories) are as frequent within training as
    # between training and validation.
    is_sure = found - expected > BEYOND_CHANCE * np.sqrt(max(expected, 1.0))
    if not is_sure or leaked < MIN_SHARE:
        return None
    return min(float(leaked), 1.0)
