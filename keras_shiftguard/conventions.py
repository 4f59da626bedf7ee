"""Input conventions as pure data: how raw RGB pixels become network input.

Every named convention is affine in the raw 8-bit pixel value, one scale and
one offset for each channel: `x = raw * scale + offset`. The numbers are those
of `keras.applications.imagenet_utils.preprocess_input`, in R, G, B order; a
tensor in B, G, R order carries the reversed tuples.
"""

from typing import NamedTuple

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of the unit range, R, G, B
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.68, 116.779, 103.939)  # of the raw range, R, G, B


class Affine(NamedTuple):
    """`x = raw * scale + offset`, one number for each of R, G, B."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


MODES: dict[str, Affine] = {
    "raw": Affine((1.0,) * 3, (0.0,) * 3),
    "unit": Affine((1 / 255,) * 3, (0.0,) * 3),
    "tf": Affine((1 / 127.5,) * 3, (-1.0,) * 3),
    "torch": Affine(
        tuple(1 / (255 * s) for s in IMAGENET_STD),
        tuple(-m / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)),
    ),
    "caffe": Affine((1.0,) * 3, tuple(-m for m in CAFFE_MEAN)),
}

# The grids on which 8-bit images land, by the convention that put them there.
# The share of values that lie on each grid is measured in the training step
# (statistics/lattice.py). `None` as order: the same for every channel.
LATTICES: dict[str, tuple[str, str | None]] = {
    "raw": ("raw", None),
    "unit": ("unit", None),
    "tf": ("tf", None),
    "torch_rgb": ("torch", "rgb"),
    "torch_bgr": ("torch", "bgr"),
    "caffe_rgb": ("caffe", "rgb"),
    "caffe_bgr": ("caffe", "bgr"),
}
