"""The fifth of the images, by brightness, noise etc., with the lowest accuracy."""

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import spec_for

MIN_Z_SCORE = 3.5  # standard errors; high because a dozen fifths are tested
MIN_SAMPLES = 50
SUPERLATIVES = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("flattest", "most contrasted"),
    "saturation": ("least colourful", "most colourful"),
    "sharpness": ("least sharp", "sharpest"),
    "noise": ("least noisy", "noisiest"),
    "blockiness": ("least blocky", "blockiest"),
    "object_size": ("smallest", "largest"),
    "background": ("fullest", "emptiest"),
}


def attributes_of(chunks: Iterable[np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns the names of the image attributes, and their values `(samples, attributes)`.

    Args:
        chunks: Images in chunks, in Keras's data format. Without images, both are empty.
    """
    known: tuple[str, ...] = ()
    rows = []
    for x in chunks:
        spec = spec_for("input", x.shape, keras.config.image_data_format(), str(x.dtype))
        if spec is None or not names(spec):
            return (), np.zeros((0, 0))
        known = names(spec)
        rows.append(np.asarray(ops.convert_to_numpy(attributes(ops.convert_to_tensor(x), spec))))
    return known, np.concatenate(rows)


def moments(table: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the weighted mean and standard deviation of the finite values of each column.

    Args:
        table: `(samples, attributes)`.
        weights: Weight of each sample, `(samples,)`.
    """
    finite = np.isfinite(table)
    values, by = np.where(finite, table, 0.0), finite * weights[:, None]
    total = np.maximum(by.sum(axis=0), 1e-12)
    mean = (values * by).sum(axis=0) / total
    return mean, np.sqrt((by * (values - mean) ** 2).sum(axis=0) / total)


def worst_fifth(known: tuple[str, ...], table: np.ndarray, right: np.ndarray) -> str:
    """Describes the fifth of the data with a clearly lower accuracy; "" if there is none.

    Args:
        known: Names of the columns.
        table: `(samples, attributes)`.
        right: 1 where the model is right, else 0, `(samples,)`.

    Example:

    >>> bright = np.arange(1000.0)
    >>> right = np.where(bright < 200, bright % 3 == 0, bright % 10 != 0)
    >>> worst_fifth(("brightness",), bright[:, None], right)
    'in the darkest fifth accuracy is .34 against .90'
    """
    worst: tuple[float, str] = (MIN_Z_SCORE, "")
    for column, name in enumerate(known):
        values = table[:, column]
        usable = np.isfinite(values)
        if name not in SUPERLATIVES or usable.sum() < MIN_SAMPLES:
            continue
        low, high = np.quantile(values[usable], [0.2, 0.8])
        if low == high:
            continue
        for word, inside in zip(SUPERLATIVES[name], (values <= low, values >= high), strict=True):
            a, b = right[inside & usable], right[~inside & usable]
            if not len(a) or not len(b):
                continue
            share = right[usable].mean()
            error = np.sqrt(share * (1 - share) * (1 / len(a) + 1 / len(b)))
            z = (b.mean() - a.mean()) / error if error > 0 else 0.0
            if z > worst[0]:
                text = f"in the {word} fifth accuracy is {_two(a.mean())} against {_two(b.mean())}"
                worst = (float(z), text)
    return worst[1]


def _two(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")
