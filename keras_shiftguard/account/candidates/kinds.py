"""What kind of data an input holds, and where black and white are in its images."""

import numpy as np

from keras_shiftguard.operations.scale import Scale
from keras_shiftguard.statistics.batch import InputSpec


def scale_of(x: np.ndarray, known: np.ndarray | None, spec: InputSpec) -> Scale:
    """Returns black and white of the images that the model is trained on, or else of `x`."""
    images = x if known is None or not len(known) else known
    return Scale.of(images, spec.layout == "channels_first")


def are_texts(spec: InputSpec, x: np.ndarray) -> bool:
    """Whether samples of an input are rows of token ids."""
    is_text = spec.tokens or (spec.tokens is None and x.dtype.name in ("int32", "int64"))
    return spec.layout == "features" and bool(is_text)
