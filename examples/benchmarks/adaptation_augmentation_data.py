"""The corrupted Fashion-MNIST of `adaptation_augmentation.py`, in the environment of
`corruptions/corrupt.py` (Python 3.8, imagecorruptions 1.1.2, see there):

    OLD/bin/python examples/benchmarks/adaptation_augmentation_data.py DATA.npz

Severity 3, 32 x 32 (padded with black), gray: the mean of the three corrupted
channels. For each kind the same 4,000 training images (for the oracle that trains
on the corruption itself, nobody else sees them) and 2,000 others: the target.
"""

import gzip
import sys
import time

import numpy as np
from imagecorruptions import corrupt, get_corruption_names

FOLDER = "/usr/share/datasets/fashion-mnist/"
NUM_TRAIN, NUM_TARGET, NUM_CLEAN = 4000, 2000, 2000
SEVERITY = 3


def read(part):
    with gzip.open(FOLDER + part + "-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), "uint8", offset=16).reshape(-1, 28, 28)
    with gzip.open(FOLDER + part + "-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), "uint8", offset=8)
    return np.pad(images, ((0, 0), (2, 2), (2, 2))), labels.astype("int64")


def main(path):
    images, labels = read("train")
    chosen = np.random.RandomState(0).permutation(len(images))
    last = NUM_TRAIN + NUM_TARGET
    out = {}
    for name, part in {"train": chosen[:NUM_TRAIN], "target": chosen[NUM_TRAIN:last]}.items():
        out[name], out[name + "/labels"] = images[part], labels[part]
    tests, test_labels = read("t10k")
    out["clean"], out["clean/labels"] = tests[:NUM_CLEAN], test_labels[:NUM_CLEAN]
    for number, kind in enumerate(get_corruption_names("common")):
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
    main(sys.argv[1])
