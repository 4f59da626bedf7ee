"""Seven runs to view in the Shift tab of TensorBoard.

    python examples/shift_tab.py logs/shift_tab
    tensorboard --logdir logs/shift_tab

- `healthy`: handwritten digits, training and validation from the same source.
- `darker`: as `healthy`, but from epoch 4 on a gamma darkens the validation images: gray becomes
  nearly black.
- `labels`: as `healthy`, but validation holds mostly the digits 3 and 5.
- `adapted`: as `healthy`, with an unlabeled target from a worse camera, dark and noisy. With
  `adapt=True`, augmentation makes training look like the target.
- `mismatch`: a network with ImageNet weights that expects [-1, 1] and is fed [0, 1].
- `fixed`: as `mismatch`, with `on_mismatch="fix"`: the guard corrects the input inside `fit`.
- `gap`: no guard, only `explain_gap` for a network whose images are noisy and wrongly scaled.
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
FREQUENT = (3, 5)  # the digits that validation mostly holds, in the run `labels`


def digits():
    """Returns 1,797 digits as 32 x 32 pixels in [0, 1], shuffled, and their classes."""
    x, y = load_digits(return_X_y=True)
    small = x.reshape(-1, 8, 8, 1) / 16
    images = keras.ops.image.resize(small, (32, 32), "bicubic")
    images = np.clip(keras.ops.convert_to_numpy(images), 0, 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(y))
    return images[order], y[order]


def darkened(images):
    """Returns the images with a gamma that turns gray into nearly black."""
    return images**4


def badly_seen(images, rng, noise=0.05):
    """Returns the images as from a worse camera: dark and noisy."""
    return np.clip(0.5 * images + rng.normal(0, noise, images.shape), 0, 1).astype("float32")


class Validation(keras.utils.PyDataset):
    """Batches of validation images, which are darker while `faulty` is true."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.faulty = x, y, False

    def __len__(self):
        return -(-len(self.x) // 64)

    def __getitem__(self, index):
        part = slice(64 * index, 64 * (index + 1))
        x = self.x[part]
        return darkened(x) if self.faulty else x, self.y[part]


def classifier():
    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    adam = keras.optimizers.Adam(3e-3)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit_digits(log_dir, epochs, fault=False, frequent=()):
    """Runs one fit.

    Args:
        log_dir: The directory of the log.
        epochs: Number of epochs.
        fault: Whether validation is darker from epoch `FAULT` on.
        frequent: The digits that validation mostly holds; empty for the class mix of training.
    """
    keras.utils.set_random_seed(0)
    x, y = digits()
    rest = np.arange(1000, len(y))
    if frequent:
        share = np.where(np.isin(y[rest], frequent), 1.0, 0.15)
        rest = rest[np.random.default_rng(1).random(len(rest)) < share]
    validation = Validation(x[rest[:500]], y[rest[:500]])
    guard = sg.ShiftGuard(log_dir=log_dir, log_samples=8, verbose=0)

    def prepare(epoch, logs):
        validation.faulty = fault and epoch + 1 >= FAULT

    callbacks = [guard, keras.callbacks.LambdaCallback(on_epoch_begin=prepare)]
    fitted = {"epochs": epochs, "batch_size": 64, "verbose": 0, "callbacks": callbacks}
    classifier().fit(x[:1000], y[:1000], validation_data=validation, **fitted)
    return guard


def fit_adapted(log_dir, epochs):
    """Runs a fit whose augmentation follows an unlabeled, darker target."""
    keras.utils.set_random_seed(0)
    x, y = digits()
    target = badly_seen(x[1500:], np.random.default_rng(1))
    guard = sg.ShiftGuard(
        target_data=target, adapt=True, on_shift="ignore", log_dir=log_dir, verbose=0
    )
    validation = (x[1000:1500], y[1000:1500])
    fitted = {"validation_data": validation, "epochs": epochs, "batch_size": 64, "verbose": 0}
    classifier().fit(x[:1000], y[:1000], callbacks=[guard], **fitted)
    return guard


def fit_photos(log_dir, epochs, on_mismatch="warn"):
    """Runs a fit of a network with ImageNet weights on photos prepared for another network."""
    keras.utils.set_random_seed(0)
    images, labels = imagenet_photos(128)
    model = lite0.build(size=128)
    slow = keras.optimizers.SGD(1e-4)
    model.compile(slow, "sparse_categorical_crossentropy", metrics=["accuracy"])
    guard = sg.ShiftGuard(log_dir=log_dir, on_mismatch=on_mismatch, verbose=0)
    x = images.astype("float32") / 255
    mirrored = (x[:, :, ::-1], labels)
    fitted = {"validation_data": mirrored, "batch_size": 10, "epochs": epochs, "verbose": 0}
    model.fit(x, labels, callbacks=[guard], **fitted)
    return guard


def explain(log_dir, epochs):
    """Writes only the table of an accuracy gap with two causes: noise, and 0..255 as input.

    The network was trained on [-1, 1].
    """
    keras.utils.set_random_seed(0)
    x, y = digits()
    x = 2 * x - 1
    model = classifier()
    model.fit(x[:1000], y[:1000], epochs=epochs, batch_size=64, verbose=0)
    seen = x[1400:] + np.random.default_rng(1).normal(0, 0.5, x[1400:].shape)
    fed = np.round(127.5 * (np.clip(seen, -1, 1) + 1))
    report = sg.explain_gap(model, (fed, y[1400:]), (x[1000:1400], y[1000:1400]))
    report.write(log_dir)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="log directory; runs of the same name are replaced")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only", nargs="*", help="names of the runs to write; all by default")
    args = parser.parse_args()
    runs = {
        "healthy": lambda path: fit_digits(path, args.epochs).report,
        "darker": lambda path: fit_digits(path, args.epochs, fault=True).report,
        "labels": lambda path: fit_digits(path, args.epochs, frequent=FREQUENT).report,
        "adapted": lambda path: fit_adapted(path, args.epochs).report,
        "mismatch": lambda path: fit_photos(path, 3).diagnosis,
        "fixed": lambda path: fit_photos(path, 3, "fix").diagnosis,
        "gap": lambda path: explain(path, args.epochs),
    }
    for name in args.only or runs:
        shutil.rmtree(args.out / name, ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sg.ShiftWarning)
            print(f"== {name}\n{runs[name](args.out / name)}", flush=True)
    print(f"\nNow: tensorboard --logdir {args.out}   (tab Shift)")


if __name__ == "__main__":
    main()
