"""Step 1 of the corruption data: clean images, made in the environment of this project.

    python examples/benchmarks/corruptions/clean_images.py CLEAN.npz

Photos are random square crops, resized to 224 x 224 with bicubic. The side of a crop is 50 to 100 %
of the shorter side of its photo. The crops come from half of the photos (`held_out`), on which
`detection_causes.py` tests the classifier of corruptions; `tools/shift_signatures.py` trains the
classifier on the other half. Fashion-MNIST comes at 32 pixels (padded) and at 64 (bicubic to 56,
padded), with three equal channels. The classifier is not trained on Fashion-MNIST.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from fashion import fashion_mnist
from photos import _package, imagenet_files

# The ordinary photographs among the pictures of scikit-image.
NATURAL = (
    "astronaut.png brick.png camera.png chelsea.png clock_motion.png coffee.png coins.png "
    "grass.png gravel.png motorcycle_left.png rocket.jpg"
).split()
SIDE = 224


def photo_files() -> list[Path]:
    files = [_package("skimage", "data") / name for name in NATURAL]
    files += [_package("sklearn", "datasets/images") / n for n in ("china.jpg", "flower.jpg")]
    return imagenet_files() + files


def held_out() -> list[Path]:
    """Returns the photos for the test of the classifier, which is not trained on them."""
    return photo_files()[1::2]


def learnt_from() -> list[Path]:
    return photo_files()[::2]


def bicubic(photo: Image.Image, box: tuple, side: int) -> np.ndarray:
    return np.asarray(photo.resize((side, side), Image.Resampling.BICUBIC, box=box))


def random_crops(files: list[Path], per_photo: int, side: int, rng, resize=bicubic) -> tuple:
    """Returns `(images, photo ids)`; images are uint8 `(n, side, side, 3)`."""
    images, ids = [], []
    for number, file in enumerate(files):
        photo = Image.open(file).convert("RGB")
        for _ in range(per_photo):
            length = rng.uniform(0.5, 1.0) * min(photo.size)
            left, top = (rng.uniform(0, whole - length) for whole in photo.size)
            box = (left, top, left + length, top + length)
            images.append(resize(photo, box, side))
            ids.append(number)
    return np.stack(images), np.asarray(ids)


def enlarged(
    images: np.ndarray, inner: int, side: int, filter=Image.Resampling.BICUBIC
) -> np.ndarray:
    """Returns gray images resized to `inner`, padded with black to `side`, in three channels."""
    out = np.zeros((len(images), side, side, 3), "uint8")
    start = (side - inner) // 2
    for i, image in enumerate(images):
        pil = Image.fromarray(image[..., 0]).resize((inner, inner), filter)
        out[i, start : start + inner, start : start + inner] = np.asarray(pil)[..., None]
    return out


def main(path: str, per_photo: int = 16, num_fashion: int = 400) -> None:
    rng = np.random.default_rng(0)
    photos, ids = random_crops(held_out(), per_photo, SIDE, rng)
    fashion = fashion_mnist()[0]
    fashion = fashion[rng.choice(len(fashion), num_fashion, replace=False)]
    np.savez(
        path,
        photos=photos,
        photo_ids=ids,
        fashion64=enlarged(fashion, 56, 64),
        fashion32=enlarged(fashion, 28, 32),
    )


if __name__ == "__main__":
    main(sys.argv[1])
