"""Real photographs for the examples, tests and benchmarks.

This package ships no picture. The photos come with the wheels of foolbox (twenty labeled
ImageNet photos), scikit-image and scikit-learn.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

SKIMAGE = (
    "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png "
    "coins.png grass.png gravel.png hubble_deep_field.jpg ihc.png microaneurysms.png moon.png "
    "motorcycle_left.png page.png retina.jpg rocket.jpg text.png"
).split()
SKLEARN = ("china.jpg", "flower.jpg")

NAMES = {"ihc": "immunohistochemistry", "hubble_deep_field": "hubble"}


def imagenet_files() -> list[Path]:
    """Returns the paths of the twenty ImageNet photos; a file name ends with the class id."""
    return sorted(_package("foolbox", "data").glob("imagenet_*.jpg"))


def imagenet_photos(size: int = 224, crop: float = 0.875) -> tuple[np.ndarray, np.ndarray]:
    """Returns the photos, cropped and resized as for the evaluation of an ImageNet network.

    Returns:
        `(images, labels)`: uint8 of shape `(20, size, size, 3)`, RGB, and the
        class ids of ILSVRC 2012 in alphabetical order of the synsets.
    """
    files = imagenet_files()
    images = np.stack([square(Image.open(file), size, crop) for file in files])
    return images, np.asarray([int(file.stem.split("_")[-1]) for file in files])


def odd_photos(size: int = 224) -> dict[str, np.ndarray]:
    """Returns the photos of scikit-image and scikit-learn by name, uint8 RGB.

    They are portraits and landscapes, and pictures unlike any ImageNet photo: the moon, a retina,
    stained tissue, cells, a page, a text, plain textures. Gray pictures get three equal channels.
    """
    files = [_package("skimage", "data") / name for name in SKIMAGE]
    files += [_package("sklearn", "datasets/images") / name for name in SKLEARN]
    return {NAMES.get(f.stem, f.stem): square(Image.open(f), size) for f in files}


def full_photos() -> list[np.ndarray]:
    """Returns every photo of foolbox, scikit-image and scikit-learn at full size, uint8 RGB."""
    files = [*imagenet_files(), *(_package("skimage", "data") / name for name in SKIMAGE)]
    files += [_package("sklearn", "datasets/images") / name for name in SKLEARN]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def square(image: Image.Image, size: int, crop: float = 1.0) -> np.ndarray:
    """Returns the middle square of an image as RGB uint8, `(size, size, 3)`.

    The side of the square is the share `crop` of the shorter side of the image.
    """
    width, height = image.size
    side = min(width, height) * crop
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box=box))


def _package(name: str, folder: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"The photos of {name} are missing: pip install keras-shiftguard[demo]")
    return Path(spec.origin).parent / folder
