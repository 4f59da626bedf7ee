"""Fashion-MNIST: 70,000 labeled images, from Debian's package `dataset-fashion-mnist`."""

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist():
    """Returns all images, uint8 `(70000, 28, 28, 1)`, and their class ids, int64."""
    if not FOLDER.is_dir():
        raise SystemExit("Fashion-MNIST is missing: apt-get install dataset-fashion-mnist")
    images, labels = [], []
    for part in ("train", "t10k"):
        with gzip.open(FOLDER / f"{part}-images-idx3-ubyte.gz") as file:
            images.append(np.frombuffer(file.read(), "uint8", offset=16).reshape(-1, 28, 28, 1))
        with gzip.open(FOLDER / f"{part}-labels-idx1-ubyte.gz") as file:
            labels.append(np.frombuffer(file.read(), "uint8", offset=8))
    return np.concatenate(images), np.concatenate(labels).astype("int64")
