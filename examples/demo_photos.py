"""Photo folders of the demo, and the input pipeline that a tutorial builds on them."""

import contextlib
import io
import shutil
from pathlib import Path

import keras
import numpy as np
import photos
from PIL import Image

SIZE, BATCH = 128, 20


def cut_photos(folder: Path, seed: int, train_crops: int, validation_crops: int) -> None:
    """Writes crops of the photos as `folder/{train,validation}/<photo>/<n>.png`.

    Training crops come from one half of each photo, and validation crops from its other half.
    """
    rng = np.random.default_rng(seed)
    shutil.rmtree(folder, ignore_errors=True)
    for number, file in enumerate(photos.imagenet_files()):
        image = Image.open(file).convert("RGB")
        halves = _halves(image.size)
        if rng.random() < 0.5:
            halves.reverse()
        for part, count, box in zip(
            ("train", "validation"), (train_crops, validation_crops), halves, strict=True
        ):
            # The half is cut out first, since a resampling filter reads a little beyond its box.
            half = image.crop(box)
            target = folder / part / f"photo{number:02d}"
            target.mkdir(parents=True)
            for n in range(count):
                side = min(half.size) * rng.uniform(0.6, 1.0)
                left, top = (rng.uniform(0, length - side) for length in half.size)
                box = (left, top, left + side, top + side)
                crop = half.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
                if rng.random() < 0.5:
                    crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                crop.save(target / f"{n}.png")


def _halves(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Returns the two halves of an image along its longer side: left, top, right, bottom."""
    width, height = size
    if width >= height:
        return [(0, 0, width // 2, height), (width // 2, 0, width, height)]
    return [(0, 0, width, height // 2), (0, height // 2, width, height)]


def feed(folder: Path, shuffle: bool, seed: int) -> keras.utils.PyDataset:
    """Returns batches of RGB images in [0, 1]: the scaling of the tutorial, not of the model."""
    if keras.backend.backend() == "tensorflow":
        # Keras 3 has the class `ImageDataGenerator` of old tutorials only in this module.
        from tensorflow.keras.preprocessing.image import ImageDataGenerator

        with contextlib.redirect_stdout(io.StringIO()):  # hides "Found 100 images ..."
            return ImageDataGenerator(rescale=1 / 255).flow_from_directory(
                str(folder),
                target_size=(SIZE, SIZE),
                class_mode="sparse",
                batch_size=BATCH,
                shuffle=shuffle,
                seed=seed,
            )
    return UnitImages(folder, shuffle, seed)


class UnitImages(keras.utils.PyDataset):
    """Batches like those of `ImageDataGenerator`, which only the TensorFlow backend has."""

    def __init__(self, folder: Path, shuffle: bool, seed: int) -> None:
        super().__init__()
        self.files = sorted(folder.rglob("*.png"))
        classes = sorted({file.parent.name for file in self.files})
        self.labels = np.asarray([classes.index(file.parent.name) for file in self.files])
        self.rng = np.random.default_rng(seed) if shuffle else None
        self.order = np.arange(len(self.files))
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.files) // BATCH)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * BATCH : (index + 1) * BATCH]
        images = [np.asarray(Image.open(self.files[i]), "float32") / 255 for i in chosen]
        return np.stack(images), self.labels[chosen]

    def on_epoch_end(self) -> None:
        if self.rng is not None:
            self.rng.shuffle(self.order)
