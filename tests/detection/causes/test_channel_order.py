"""Swapped red and blue are distinguished from changes of color or light, and from chance."""

import numpy as np
import pytest

from keras_shiftguard.detection.causes.channel_order import (
    QUANTILES,
    Levels,
    balance_swapped,
    channels_swapped,
)
from keras_shiftguard.profiles import FeatureTable, Moments


def levels(*means, spread=30.0):
    mean = np.array(means, "float64")
    quantiles = mean[:, None] + spread * np.linspace(-1.6, 1.6, len(QUANTILES))
    std = np.full(len(mean), spread)
    return Levels(mean, std, quantiles[:, 0], quantiles[:, -1], quantiles)


PHOTOS = levels(110.0, 115.0, 90.0)


@pytest.mark.parametrize(
    ("current", "error", "swapped"),
    [
        (levels(90.0, 115.0, 110.0), 0.5, True),
        (levels(92.0, 116.0, 108.0), 0.5, True),  # other photos
        (levels(90.0, 115.0, 110.0), 6.5, True),
        (levels(90.0, 115.0, 110.0), 6.7, False),  # red minus blue moves by 40, less than 6 x 6.7
        (PHOTOS, 0.5, False),
        (levels(130.0, 135.0, 110.0), 0.5, False),  # lighter
        (levels(100.0, 115.0, 100.0), 0.5, False),  # less color
        (levels(95.0, 115.0, 100.0), 0.5, False),  # a color cast, more than half way to a swap
    ],
)
def test_channels(current, error, swapped):
    assert channels_swapped(PHOTOS, current, error) == swapped


def balance(red, blue, n=200, std=1.0, names=("colour_balance_0", "colour_balance_2")):
    moments = Moments(np.full(2, float(n)), np.array([red, blue]), np.full(2, n * std**2))
    return FeatureTable(names, n, moments)


@pytest.mark.parametrize(
    ("current", "swapped"),
    [
        (balance(-0.4, 0.4), True),
        (balance(-0.38, 0.45), True),
        (balance(0.4, -0.4), False),
        (balance(0.0, 0.0), False),
        (balance(-0.4, -0.4), False),  # only one of the two changed its sign
        (balance(-0.4, 0.4, n=20), False),  # 2 x 0.8^2 / (1/200 + 1/20) < `MIN_BALANCE_MOVE`
        (balance(-0.1, 0.9), False),
        (balance(-0.4, 0.4, names=("colour_balance_0", "colour_balance_1")), False),
    ],
)
def test_the_balance_of_each_image(current, swapped):
    assert balance_swapped(balance(0.4, -0.4), current) == swapped
