"""The reader of image directories, on files of any bytes."""

import shutil
import warnings
from functools import cache
from pathlib import Path

from fuzz.choices import Choices, scrambled

from keras_shiftguard.errors import BadInputError, ShiftWarning
from keras_shiftguard.io.images import read_images

REAL = Path(__file__).parent / "real"
NAMES = ("a.png", "b.jpg", "c.gif", "d.bmp", "e.tiff", "f.webp", "g.ppm", "sub/h.jpeg", "i.PNG")


@cache
def real():
    """Returns the bytes of the real images, sorted by file name."""
    suffixes = (".png", ".jpg", ".gif", ".bmp", ".tiff", ".webp", ".ppm")
    files = sorted(path for path in REAL.iterdir() if path.suffix in suffixes)
    return [path.read_bytes() for path in files]


def one_directory(data, folder):
    """Reads a directory of up to three files, some damaged and some with a wrong suffix.

    Returns whether an image was read.
    """
    choices = Choices(data)
    place = folder / "images"
    shutil.rmtree(place, ignore_errors=True)
    (place / "sub").mkdir(parents=True)
    if choices.below(8) == 0:
        (place / choices.pick(NAMES)).write_bytes(choices.rest)
    else:
        for _ in range(1 + choices.below(3)):
            content = scrambled(choices, choices.pick(real()), choices.pick((2, 2, 12, 0)))
            (place / choices.pick(NAMES)).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShiftWarning)
        warnings.simplefilter("ignore", UserWarning)  # Pillow warns of damaged metadata
        try:
            images = read_images(place, (6, 5), choices.pick((3, 1)), 8)
        except BadInputError:
            return False
    assert images.dtype == "uint8" and images.shape[1:3] == (6, 5)
    return True
