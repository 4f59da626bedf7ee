"""Benchmark of `ShiftGuard(log_samples=8)`: time and disk space at each look.

    python examples/benchmarks/log_samples.py --side 224 --epochs 5

A look is the comparison after an epoch. The script runs a real fit on random images, 512 for
training and 256 for validation. It times the two calls that `log_samples` adds to a look: choosing
the images, and writing them. The first look measures the images of both streams. Later looks
measure only the training images, because their order changes in each epoch.
"""

import argparse
import os
import tempfile
import time
import warnings
from functools import wraps
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_shiftguard as sg
from keras_shiftguard.callback.sample_pictures import SamplePictures
from keras_shiftguard.log.pictures import PictureLog


def timed(module, name, seconds):
    """Replaces a method by one that appends its wall and CPU time to `seconds`."""
    method = getattr(module, name)

    @wraps(method)
    def measured(*arguments, **named):
        wall, cpu = time.perf_counter(), time.process_time()
        result = method(*arguments, **named)
        seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
        return result

    setattr(module, name, measured)


def images(number, side, rng):
    """Returns random images that are smooth, as photos are, in [0, 1]."""
    coarse = rng.random((number, 8, 8, 3)).astype("float32")
    smooth = keras.ops.convert_to_numpy(keras.ops.image.resize(coarse, (side, side), "bicubic"))
    return np.clip(smooth + rng.normal(0, 0.03, smooth.shape), 0, 1).astype("float32")


def fit(log_dir, side, epochs, log_samples):
    """Runs a fit whose guard keeps `log_samples` images in `log_dir`."""
    rng = np.random.default_rng(0)
    x, y = images(768, side, rng), rng.integers(0, 4, 768)
    model = keras.Sequential([keras.Input((side, side, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(4, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    guard = sg.ShiftGuard(log_dir=log_dir, log_samples=log_samples, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.ShiftWarning)
        validation = (x[512:], y[512:])
        given = {"validation_data": validation, "epochs": epochs, "verbose": 0}
        model.fit(x[:512], y[:512], callbacks=[guard], **given)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=224, help="pixels a side of the images")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=8, help="`log_samples`")
    args = parser.parse_args()
    chosen, written = [], []
    timed(SamplePictures, "rows", chosen)
    timed(PictureLog, "write", written)
    with tempfile.TemporaryDirectory() as folder:
        fit(folder, args.side, args.epochs, args.samples)
        files = list(Path(folder, "shiftguard", "samples").rglob("*.png"))
        size = sum(file.stat().st_size for file in files)
    looks = 1000 * (np.array(chosen) + np.array(written))
    backend = keras.backend.backend()
    print(f"{args.side} x {args.side} x 3, log_samples={args.samples}, {backend}")
    for name, rows in (("first look", looks[:1]), ("later looks, median", looks[1:])):
        wall, cpu = np.median(rows, axis=0)
        print(f"{name}: {wall:.0f} ms, {cpu:.0f} ms of CPU")
    print(f"of that writing, median: {1000 * np.median(written, axis=0)[0]:.0f} ms")
    print(f"on the disk, {len(looks)} looks: {len(files)} files, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
