"""Whether a repair explains what is measured of images: it brings them nearer to training.

An operation may win accuracy, and leave all that differs as it is: mirrored images are as bright as
before. Then the measured difference is no evidence for it, and the gain has to speak for itself.
"""

import keras
import numpy as np

from keras_shiftguard.experiments.candidates.candidates import SOME
from keras_shiftguard.experiments.lost import MIN_UNIT, moments
from keras_shiftguard.experiments.undo import MIN_WON_BACK, Chain, applied
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.sketches.attributes import attributes, names

# Share of the difference of the attributes that a repair must take away. A convention: a mirrored
# object has another place, so chance takes away a little.
MIN_SHOWN = 0.05
MOST = 4 * SOME  # images that are measured. A convention.


def is_shown(chain: Chain, images: np.ndarray, training: np.ndarray, spec: InputSpec) -> bool:
    """Whether operations bring the attributes or the mean of images nearer to those of training.

    `images` and `training` are of one size, `(samples, height, width, channels)` or channels first.
    """
    there, here = training[:MOST].astype("float32"), images[:MOST].astype("float32")
    repaired = applied(chain, here)
    means = [each.mean(axis=0) for each in (there, here, repaired)]
    before, after = (float(np.square(mean - means[0]).sum()) for mean in means[1:])
    if after < (1 - MIN_WON_BACK) * before or not names(spec):
        return True
    of_training, *others = (_measured(each, spec) for each in (there, here, repaired))
    unit = of_training[1] + MIN_UNIT
    before, after = (
        float(np.nansum(np.arcsinh((each - of_training) / unit) ** 2)) for each in others
    )
    return after < (1 - MIN_SHOWN) * before


def _measured(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Returns mean and deviation of the attributes of images, `(2, k)`."""
    return moments(in_chunks(lambda x: attributes(keras.ops.convert_to_tensor(x), spec), images))
