"""`LevelMatch`: the gain and offset that give images the levels of other images.

Dimming, another exposure and a color cast multiply and shift the values, so a gain and an offset
undo them exactly. The image attributes show, without labels, whether a gain and an offset explain a
difference.
"""

from dataclasses import dataclass

import keras
import numpy as np

from keras_shiftguard.explain.worst_slices import attributes_of, moments
from keras_shiftguard.statistics.spread import spread

MAX_SAMPLES_TO_FIT = 96  # images on which the attributes are compared
CHUNK = 256


@dataclass(frozen=True)
class LevelMatch:
    """A gain and an offset for each channel.

    Args:
        gain: Factors, shaped to broadcast with a batch.
        offset: Summands, in the same shape.
        low: Smallest value of the other images.
        high: Largest value of the other images.
        explained: Share of the wanted change of the attributes that gain and offset make; 1 is
            the whole change.
        operation: Always `"levels"`. A `Style` has the same attribute.
    """

    gain: np.ndarray
    offset: np.ndarray
    low: float
    high: float
    explained: float = 0.0
    operation: str = "levels"

    def apply(self, images: np.ndarray) -> list[np.ndarray]:
        """Returns the changed images, float32, in chunks."""
        chunks = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
        return [
            np.clip(x * self.gain + self.offset, self.low, self.high).astype("float32")
            for x in chunks
        ]


def match_levels(
    images: np.ndarray, others: np.ndarray, moved: dict[str, float], unit: dict[str, float]
) -> LevelMatch | None:
    """Returns the gain and offset that best match other images; None without image attributes.

    Args:
        images: Images, 4D, in the layout of Keras.
        others: The images whose levels are wanted.
        moved: The wanted change of the mean of each attribute, by name.
        unit: Standard deviation of each attribute between images, by name.
    """
    axis = 1 if keras.config.image_data_format() == "channels_first" else 3
    over = tuple(i for i in range(4) if i != axis)
    mean, std, mean_wanted, std_wanted = (
        getattr(x.astype("float64"), statistic)(axis=over, keepdims=True)
        for x in (images, others)
        for statistic in ("mean", "std")
    )
    low, high = float(others.min()), float(others.max())
    few = images[spread(len(images), MAX_SAMPLES_TO_FIT)]
    names, table = attributes_of([few.astype("float32")])
    if not names:
        return None
    before = moments(table, np.ones(len(table)))[0]
    wanted = np.array([moved.get(name, np.nan) for name in names])
    units = np.array([unit.get(name, 0.0) for name in names])
    usable = np.isfinite(wanted) & (units > 0)

    def distance(move: np.ndarray) -> float:
        """Mean square of arcsinh((wanted - move) / unit); arcsinh damps large differences."""
        left = (wanted - move)[usable] / units[usable]
        return float((np.arcsinh(left) ** 2).mean()) if usable.any() else 0.0

    unchanged = distance(np.zeros(len(names)))
    best = None
    for gain, offset in _candidates(mean, std, mean_wanted, std_wanted):
        match = LevelMatch(gain, offset, low, high)
        _, after = attributes_of(match.apply(few))
        left = distance(moments(after, np.ones(len(after)))[0] - before)
        explained = 1 - left / max(unchanged, 1e-12)
        if best is None or explained > best.explained:
            best = LevelMatch(gain, offset, low, high, explained)
    return best


def _candidates(
    mean: np.ndarray, std: np.ndarray, mean_wanted: np.ndarray, std_wanted: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the gains and offsets to try, from means and standard deviations of the channels.

    The candidates are: a gain for all channels; a gain and an offset for all channels; a gain and
    an offset for each channel. All arrays are shaped to broadcast with a batch.
    """
    one = np.ones_like(mean)
    gain = std_wanted / np.maximum(std, 1e-12)
    common = std_wanted.mean() / max(std.mean(), 1e-12)
    return [
        (one * common, 0 * one),
        (one * common, one * (mean_wanted.mean() - mean.mean() * common)),
        (gain, mean_wanted - mean * gain),
    ]
