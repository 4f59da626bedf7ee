"""Hints from the images: possible problems that do not change the verdict.

`hints_for` runs each of the checks in `content.py` and `resampling.py`, and
compares the image size with the one that the network was published with.
"""

from typing import TYPE_CHECKING

import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.hints.content import (
    constant_hints,
    duplicate_hints,
    frame_hints,
    gray_hints,
    inverted_hints,
    nonfinite_hints,
    whole_division_hints,
)
from keras_shiftguard.preprocessing.hints.hint import Hint
from keras_shiftguard.preprocessing.hints.overflow import overflow_hints
from keras_shiftguard.preprocessing.hints.resampling import resampling_hints
from keras_shiftguard.profiles import InputSummary

if TYPE_CHECKING:
    from keras_shiftguard.preprocessing.expected.structure import StructuralExpectation

MAX_IMAGES = 256
MAX_IMAGES_FOR_MEDIANS = 32  # the slower checks use this many images, spread evenly


def hints_for(
    images: np.ndarray,
    summary: InputSummary,
    expectation: "StructuralExpectation | None",
    observed: InputConvention,
) -> tuple[Hint, ...]:
    """Returns all hints from the images, the most certain first.

    Args:
        images: `(n, height, width, channels)`, exactly as fed. The first
            `MAX_IMAGES` are used.
        summary: The profile of the whole stream; its image sizes are used.
        expectation: What the structure of the network expects; None if unknown.
        observed: The convention of the images; mode `"unknown"` if it is not known.
    """
    hints = _size_hints(summary, expectation)
    images = np.asarray(images)
    if images.ndim == 4 and images.size and images.dtype.kind in "fiub":
        hints += _image_hints(images[:MAX_IMAGES].astype("float32", copy=False), observed)
    return tuple(sorted(hints, key=lambda hint: -hint.certainty))


def _image_hints(images: np.ndarray, observed: InputConvention) -> list[Hint]:
    hints, images = nonfinite_hints(images)
    hints += whole_division_hints(images)  # most of these images are flat, too
    more, images = constant_hints(images)
    hints += more
    if not len(images):
        return hints
    hints += duplicate_hints(images)
    images = images[:: -(-len(images) // MAX_IMAGES_FOR_MEDIANS)]
    hints += gray_hints(images)
    hints += inverted_hints(images, observed)
    hints += overflow_hints(images, observed)
    more, unframed = frame_hints(images)
    # Images with a flat edge are left out: the edge of a frame would dominate the finest detail.
    return hints + more + resampling_hints(unframed.mean(axis=-1, dtype="float32"))


def _size_hints(summary: InputSummary, expectation: "StructuralExpectation | None") -> list[Hint]:
    """Returns a hint if the images have another size than the network was published with."""
    native = None if expectation is None else expectation.native_size
    if expectation is None or native is None or not summary.is_image or not summary.num_samples:
        return []
    smallest, largest = summary.smallest_size, summary.largest_size
    if smallest == largest == (native, native) or max(largest) == 0:
        return []
    size = f"{smallest[0]} by {smallest[1]}"
    if smallest != largest:
        size += f" up to {largest[0]} by {largest[1]}"
    top1 = expectation.published_top1
    published = "" if top1 is None else f" (published top-1 there: {100 * top1:.1f} %)"
    name = expectation.architecture or "the network"
    text = (
        f"The images are {size}; {name} was trained at {native} by {native}{published}. "
        "At other sizes accuracy is usually lower, unless it was trained again."
    )
    return [Hint("input_size", text, 0.9)]
