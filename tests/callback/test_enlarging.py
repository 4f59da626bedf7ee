"""After random crops, larger images of validation win accuracy, which the report says once."""

import keras
import numpy as np
import pytest
from scipy import ndimage
from small_fits import compiled, digits, watched

pytestmark = [pytest.mark.backend, pytest.mark.thorough]
BATCH = 50


class Crops(keras.utils.PyDataset):
    """Training batches; each image is a part of the original, enlarged to its size."""

    def __init__(self, x, y, crops):
        super().__init__()
        self.x, self.y, self.crops, self.rng = x, y, crops, np.random.default_rng(0)

    def __len__(self):
        return len(self.x) // BATCH

    def __getitem__(self, i):
        rows = slice(i * BATCH, (i + 1) * BATCH)
        x = self.x[rows]
        if self.crops:
            x = np.stack([self.crop(image) for image in x])
        return x.astype("float32"), self.y[rows]

    def crop(self, image):
        side = len(image)
        part = self.rng.integers(side * 5 // 8, side * 3 // 4)
        i, j = self.rng.integers(0, side - part + 1, 2)
        factor = (side / part, side / part, 1)
        return ndimage.zoom(image[i : i + part, j : j + part], factor, order=1)[:side, :side]


def notes(crops):
    x, y = digits(24)
    layers = keras.layers
    convolution, hidden = layers.Conv2D(8, 3, 2, activation="relu"), layers.Dense(32, "relu")
    head = layers.Dense(10, "softmax")
    model = compiled((24, 24, 1), convolution, layers.Flatten(), hidden, head, rate=1e-3)
    data = Crops(x[:1200], y[:1200], crops)
    report = watched(model, data, (x[1200:], y[1200:]), 8).report
    return [note for note in report.notes if "Touvron" in note]


def test_enlarging_validation_is_a_gift_behind_random_crops():
    (note,) = notes(crops=True)
    assert "enlarging the middle of validation images by" in note and "points of accuracy" in note


def test_nothing_is_said_of_training_on_whole_images():
    assert not notes(crops=False)
