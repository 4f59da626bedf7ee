"""The model and photos of the README's first example, with wrong scaling and noisy validation.

`tools/page_outputs.py` runs the README with this model and these photos. The network expects
B, G, R, 0..255 minus the mean (see `demo.py`) and is fed RGB in [0, 1]. Noise is added to the
validation photos.
"""

import tempfile
from pathlib import Path

import keras
import lite0
import numpy as np
from demo_photos import SIZE, UnitImages, cut_photos

from keras_shiftguard import InputConvention

WANTED = InputConvention("caffe", "bgr")

with tempfile.TemporaryDirectory() as folder:
    cut_photos(Path(folder), 0, 5, 4)
    parts = {}
    for name in ("train", "validation"):
        images = UnitImages(Path(folder) / name, True, 0)
        batches = [images[i] for i in range(len(images))]
        parts[name] = tuple(np.concatenate(part) for part in zip(*batches, strict=True))


class Batches(keras.utils.PyDataset):
    """Batches of twenty training photos."""

    def __len__(self) -> int:
        return len(parts["train"][0]) // 20

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = parts["train"]
        return x[20 * index : 20 * index + 20], y[20 * index : 20 * index + 20]


train = Batches()
x, y = parts["validation"]
noise = np.random.default_rng(0).normal(0, 0.1, x.shape)
val = np.clip(x + noise, 0, 1).astype("float32"), y

keras.utils.set_random_seed(0)
backbone = lite0.build(folded_to=WANTED, include_top=False, pooling="avg", size=SIZE)
backbone.trainable = False
inputs = keras.Input((SIZE, SIZE, 3))
model = keras.Model(inputs, keras.layers.Dense(20, activation="softmax")(backbone(inputs)))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
