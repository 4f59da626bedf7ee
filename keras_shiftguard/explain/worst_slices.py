"""`worst_fifth`: the fifth of the images, such as the darkest, with clearly lower accuracy."""

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from keras_shiftguard.statistics.attributes import attributes, names
from keras_shiftguard.statistics.batch import spec_for

# The accuracy of a fifth must be lower than that of the rest by this many standard errors. The
# number is high because up to 16 fifths are tested, 2 for each attribute.
MIN_Z_SCORE = 3.5
MIN_SAMPLES = 50  # with fewer finite values, an attribute is not tested
# Names of the fifth with the lowest values and of the fifth with the highest values, by attribute.
SUPERLATIVES = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("flattest", "most contrasted"),
    "saturation": ("least colourful", "most colourful"),
    "sharpness": ("least sharp", "sharpest"),
    "noise": ("least noisy", "noisiest"),
    "blockiness": ("least blocky", "blockiest"),
    "object_size": ("smallest-object", "largest-object"),
    "background": ("least-background", "most-background"),
}


def attributes_of(chunks: Iterable[np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns the names of the image attributes, and their values `(samples, attributes)`.

    Args:
        chunks: Images in chunks, in Keras's data format. If the arrays are not images
            of at least 8 pixels a side, both results are empty.
    """
    found: tuple[str, ...] = ()
    rows = []
    for x in chunks:
        spec = spec_for("input", x.shape, keras.config.image_data_format(), str(x.dtype))
        if spec is None or not names(spec):
            return (), np.zeros((0, 0))
        found = names(spec)
        rows.append(np.asarray(ops.convert_to_numpy(attributes(ops.convert_to_tensor(x), spec))))
    return found, np.concatenate(rows)


def worst_fifth(columns: tuple[str, ...], table: np.ndarray, right: np.ndarray) -> str:
    """Describes the fifth of the images whose accuracy is most clearly lower than that of the rest.

    Args:
        columns: Names of the attributes.
        table: Values of the attributes, `(samples, attributes)`.
        right: 1 where the model is right, else 0, `(samples,)`.

    Returns:
        A phrase for the report; "" if no fifth is lower by `MIN_Z_SCORE`.

    Example:

    >>> bright = np.arange(1000.0)
    >>> right = np.where(bright < 200, bright % 3 == 0, bright % 10 != 0)
    >>> worst_fifth(("brightness",), bright[:, None], right)
    'in the darkest fifth accuracy is .34 against .90'
    """
    worst: tuple[float, str] = (MIN_Z_SCORE, "")
    for index, name in enumerate(columns):
        values = table[:, index]
        usable = np.isfinite(values)
        if name not in SUPERLATIVES or usable.sum() < MIN_SAMPLES:
            continue
        low, high = np.quantile(values[usable], [0.2, 0.8])
        if low == high:
            continue
        for word, in_fifth in zip(SUPERLATIVES[name], (values <= low, values >= high), strict=True):
            inside, outside = right[in_fifth & usable], right[~in_fifth & usable]
            if not len(inside) or not len(outside):
                continue
            accuracy = right[usable].mean()
            variance = accuracy * (1 - accuracy)
            error = np.sqrt(variance * (1 / len(inside) + 1 / len(outside)))
            z = (outside.mean() - inside.mean()) / error if error > 0 else 0.0
            if z > worst[0]:
                here, elsewhere = _two_digits(inside.mean()), _two_digits(outside.mean())
                text = f"in the {word} fifth accuracy is {here} against {elsewhere}"
                worst = (float(z), text)
    return worst[1]


def _two_digits(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")
