"""A small network, and photos in three conventions, for the tests of attached profiles."""

import keras
import numpy as np
from keras import layers
from skimage.data import astronaut

import keras_shiftguard as sg

Y = np.arange(16) % 2


def photos(number=16, size=32):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 512 - size, (number, 2))
    images = np.stack([astronaut()[i : i + size, j : j + size] for i, j in corners])
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images.astype("float32")


RAW, UNIT, TF = photos(), photos() / 255, photos() / 127.5 - 1


def network(channels=3):
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((32, 32, channels)), *body])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def quiet_guard(**options):
    return sg.ShiftGuard(on_shift="ignore", on_mismatch="ignore", verbose=0, **options)


def files(folder):
    return sorted(path.name for path in folder.iterdir())
