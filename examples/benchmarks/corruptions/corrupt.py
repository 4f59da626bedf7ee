r"""Step 2 of the corruption data: corrupted images, made in an environment of its own.

    python3.8 -m venv OLD
    OLD/bin/pip install imagecorruptions==1.1.2 "numpy<1.24" "scikit-image<0.20" \
        "opencv-python-headless<4.9" "setuptools<81"
    OLD/bin/python examples/benchmarks/corruptions/corrupt.py CLEAN.npz CORRUPTED.npz 50

`imagecorruptions` (Michaelis et al., "Benchmarking Robustness in Object Detection", 2019, after
Hendrycks and Dietterich, ICLR 2019) does not work with NumPy after 1.23. For each data set, kind
and severity, the script writes n corrupted images and the indices of their clean ones. Whole
images are corrupted. Only the middle 128 x 128 pixels of larger images are kept, because the
attributes are measured on these pixels. The script takes about 25 minutes on one core for n = 50.
"""

import sys
import time

import numpy as np
from imagecorruptions import corrupt, get_corruption_names

KEPT = 128


def main(source, target, n):
    with np.load(source) as file:
        clean = {name: file[name] for name in file.files if name != "photo_ids"}
    out = {}
    for data, images in clean.items():
        # Only every other image is corrupted, so that the rest can be the reference. The crops of a
        # photo follow each other, so both halves have crops of every photo.
        usable = np.arange(len(images))[1::2]
        start = max(images.shape[1] - KEPT, 0) // 16 * 8
        for number, kind in enumerate(get_corruption_names("common")):
            began = time.time()
            for severity in range(1, 6):
                seed = [number, severity, images.shape[1]]
                np.random.seed(seed)
                chosen = np.random.RandomState(seed).choice(usable, n, replace=False)
                made = [corrupt(images[i], corruption_name=kind, severity=severity) for i in chosen]
                made = np.stack(made)[:, start : start + KEPT, start : start + KEPT]
                out[f"{data}/{kind}/{severity}"] = made
                out[f"{data}/{kind}/{severity}/index"] = chosen
            print(f"{data} {kind}: {time.time() - began:.0f} s", flush=True)
    np.savez(target, **out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
