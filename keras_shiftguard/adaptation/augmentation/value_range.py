"""Estimation of the values of black and white, the limits of augmented images."""

import numpy as np

from keras_shiftguard.conventions import LATTICES, MIN_SPAN, MODES
from keras_shiftguard.profiles import InputSummary

# The data follow a preprocessing convention if more than this share of their values are the results
# of the convention for the whole pixel values 0..255. A convention.
MIN_LATTICE_SHARE = 0.99


def value_range(train: InputSummary, target: InputSummary) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values of black and white in each channel, each `(channels,)`.

    If the training data follow an 8-bit convention, the convention defines black and white.
    Else they are the smallest and the largest value in training and target together; a
    channel whose values are all equal gets 0 and 1.
    """
    channels = train.num_channels
    low, high = np.minimum(train.minimum, target.minimum), np.maximum(train.maximum, target.maximum)
    for name, (mode, order) in LATTICES.items():
        if train.lattice_values and train.lattice_share(name) > MIN_LATTICE_SHARE:
            scale, offset = (np.asarray(v) for v in MODES[mode])
            if order == "bgr":
                scale, offset = scale[::-1], offset[::-1]
            if channels not in (1, 3):
                continue
            black, white = offset[:channels], offset[:channels] + 255 * scale[:channels]
            # Some values are possible in several conventions (0 and 1 are raw pixels and unit
            # values). So the data must also lie between black and white, and span a part of
            # that range.
            slack = 0.01 * (white - black)
            if np.all(black - slack <= train.minimum) and np.all(train.maximum <= white + slack):
                if np.all(train.maximum - train.minimum > MIN_SPAN * (white - black)):
                    return black, white
    is_constant = ~(high > low)
    return np.where(is_constant, 0.0, low), np.where(is_constant, 1.0, high)
