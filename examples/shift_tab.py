"""Four real fits to look at in TensorBoard's Shift tab.

    python examples/shift_tab.py logs/shift_tab
    tensorboard --logdir logs/shift_tab

- `right`: handwritten digits, training and validation from the same source.
- `darker`: the same, but from epoch 4 on somebody else prepares the validation images, and they
  come out darker and noisier. Unlabelled images from production (`target_data`) look like that
  from the start.
- `adapted`: training digits and that target, with `adapt=True`: augmentation makes training look
  like the target.
- `photos`: a network with ImageNet weights, fed [0, 1] where it wants [-1, 1].
"""

import argparse
import os
import shutil
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import lite0
import numpy as np
from keras import layers
from photos import imagenet_photos
from sklearn.datasets import load_digits

import keras_shiftguard as sg

FAULT = 4  # the first epoch with faulty validation images, counted from 1


def digits():
    """Returns 1,797 digits as 32 x 32 pixels in [0, 1], shuffled, and their classes."""
    x, y = load_digits(return_X_y=True)
    small = x.reshape(-1, 8, 8, 1) / 16
    images = keras.ops.image.resize(small, (32, 32), "bicubic")
    images = np.clip(keras.ops.convert_to_numpy(images), 0, 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(y))
    return images[order], y[order]


def darkened(images, rng):
    """Returns the images as a worse camera would see them."""
    noise = rng.normal(0, 0.02, images.shape)
    return np.clip(0.6 * images + noise, 0, 1).astype("float32")


class Validation(keras.utils.PyDataset):
    """Batches of validation; `faulty` makes them darker and noisier."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.faulty = x, y, False

    def __len__(self):
        return -(-len(self.x) // 64)

    def __getitem__(self, index):
        part = slice(64 * index, 64 * (index + 1))
        x = self.x[part]
        return darkened(x, np.random.default_rng(index)) if self.faulty else x, self.y[part]


def classifier():
    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(name="features"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit_digits(log_dir, epochs, fault):
    """Runs one fit; with `fault`, validation is darker from epoch `FAULT` on."""
    keras.utils.set_random_seed(0)
    x, y = digits()
    validation = Validation(x[1000:1500], y[1000:1500])
    target = darkened(x[1500:], np.random.default_rng(1)) if fault else None
    guard = sg.ShiftGuard(target_data=target, log_dir=log_dir, log_samples=8, verbose=0)

    def prepare(epoch, logs):
        validation.faulty = fault and epoch + 1 >= FAULT

    model = classifier()
    callbacks = [guard, keras.callbacks.LambdaCallback(on_epoch_begin=prepare)]
    model.fit(
        x[:1000],
        y[:1000],
        validation_data=validation,
        epochs=epochs,
        batch_size=64,
        verbose=0,
        callbacks=callbacks,
    )
    return guard


def fit_adapted(log_dir, epochs):
    """Runs a fit whose augmentation follows an unlabelled, darker target."""
    keras.utils.set_random_seed(0)
    x, y = digits()
    target = darkened(x[1500:], np.random.default_rng(1))
    guard = sg.ShiftGuard(
        target_data=target, adapt=True, on_shift="ignore", log_dir=log_dir, verbose=0
    )
    model = classifier()
    validation = (x[1000:1500], y[1000:1500])
    fitted = {"validation_data": validation, "epochs": epochs, "batch_size": 64, "verbose": 0}
    model.fit(x[:1000], y[:1000], callbacks=[guard], **fitted)
    return guard


def fit_photos(log_dir, epochs):
    """Runs a network with ImageNet weights on twenty photos prepared for another network."""
    keras.utils.set_random_seed(0)
    images, labels = imagenet_photos(128)
    model = lite0.build(size=128)
    model.compile("sgd", "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(log_dir=log_dir, verbose=0)
    x = images.astype("float32") / 255
    model.fit(x, labels, batch_size=10, epochs=epochs, verbose=0, callbacks=[guard])
    return guard


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="log directory; runs of the same name are replaced")
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()
    for name in ("right", "darker", "adapted", "photos"):
        shutil.rmtree(args.out / name, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.ShiftWarning)
        guards = {
            "right": fit_digits(args.out / "right", args.epochs, fault=False),
            "darker": fit_digits(args.out / "darker", args.epochs, fault=True),
            "adapted": fit_adapted(args.out / "adapted", args.epochs),
            "photos": fit_photos(args.out / "photos", 2),
        }
    for name, guard in guards.items():
        print(f"== {name}\n{guard.diagnosis if name == 'photos' else guard.report}")
    print(f"\nNow: tensorboard --logdir {args.out}   (tab Shift)")


if __name__ == "__main__":
    main()
