"""Networks of the verdict benchmark: EfficientNet-Lite0 in several variants, and small ones.

The networks of other people come from a folder of loaders, see `verdicts.py`. The small networks
are trained here on parts of the photos: they stand for what users train from scratch.
"""

import importlib

import keras
import lite0
import numpy as np
import photos as own_photos
from keras import layers

from keras_shiftguard import InputConvention

LITE0 = [
    "lite0",
    "lite0_unit",
    "lite0_caffe",
    "lite0_folded",
    "lite0_head_unit",
    "lite0_head_2",
    "lite0_head_raw",
]
SCRATCH = [
    "scratch_unit",
    "scratch_torch",
    "scratch_raw",
    "scratch_mobilenet_unit",
    "scratch_mobilenet_settled_unit",
]
OWN = [*LITE0, *SCRATCH]
STEPS = 600  # of 32 images: the default momentum of batch norm, .99, has then converged by 99.8 %


def load(name: str) -> tuple[keras.Model, int, InputConvention, bool]:
    """Returns a network, its image side, what it expects, and whether it has batch norm in front.

    "In front" means near the input of the network.
    """
    if name not in OWN:
        module = importlib.import_module(name)
        front = module.HAS_BN and not name.startswith("dinov2")
        mode, order, *numbers = module.TRUE
        scale_and_offset = [tuple(np.ravel(number).tolist()) for number in numbers]
        return module.build(), module.SIZE, InputConvention(mode, order, *scale_and_offset), front
    tf = InputConvention("tf")
    if name == "lite0":
        return lite0.build(), 224, tf, True
    if name in ("lite0_unit", "lite0_caffe"):
        mode = name.split("_")[1]
        true = InputConvention(mode, "bgr" if mode == "caffe" else "rgb")
        return lite0.build(true), 224, true, True
    if name == "lite0_folded":
        from common import fold_batch_norm

        return fold_batch_norm(lite0.build()), 224, tf, False
    if name in SCRATCH:
        true = InputConvention(name.split("_")[-1])
        return from_scratch(true, "mobilenet" in name, "settled" in name), 160, true, True
    true = InputConvention("raw" if name.endswith("_raw") else "unit")
    return head_on_frozen(2 if name.endswith("_2") else 30, true), 160, true, True


def head_on_frozen(classes: int, true: InputConvention) -> keras.Model:
    """Returns Lite0, which expects [-1, 1], under a head that was trained on another convention."""
    base = lite0.build(include_top=False, pooling="avg", size=160)
    x, y = parts_of_photos(classes, seed=1)
    features = base.predict(true.from_raw(x), verbose=0)
    head = keras.Sequential(
        [keras.Input(features.shape[1:]), keras.layers.Dense(classes, activation="softmax")]
    )
    head.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    head.fit(features, y, epochs=60, verbose=0)
    base.trainable = False
    return keras.Model(base.input, head(base.output))


def parts_of_photos(classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns random parts of the labelled photos, `(n, 160, 160, 3)`, and their class ids."""
    raw = own_photos.imagenet_photos()[0]
    random = np.random.default_rng(seed)
    x, y = [], []
    for i, photo in enumerate(raw):
        for _ in range(12):
            top, left = random.integers(0, 64, 2)
            x.append(photo[top : top + 160, left : left + 160])
            y.append(i % classes)
    return np.stack(x).astype("float32"), np.asarray(y)


def from_scratch(
    convention: InputConvention, is_mobile_net: bool, settled: bool = False
) -> keras.Model:
    """Returns a network that was trained from random weights on images in a convention.

    It tells the twenty labelled photos apart, by parts of 96 x 96 pixels, mirrored or not.

    Args:
        convention: What the network is fed.
        is_mobile_net: A MobileNetV2 of keras.applications, whose batch norm (momentum .999) has
            converged by 45 % after `STEPS`; else four convolutions with batch norm.
        settled: Whether the momentum is .994 instead, so that 97 % have converged.
    """
    keras.utils.set_random_seed(0)
    raw = own_photos.imagenet_photos()[0]
    if is_mobile_net:
        body = keras.applications.MobileNetV2((None, None, 3), 0.35, False, None, pooling="avg")
        for layer in body.layers:
            if settled and isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.994
    else:
        body = keras.Sequential([keras.Input((None, None, 3))])
        for width in (16, 32, 64, 64):
            body.add(layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False))
            body.add(layers.BatchNormalization())
            body.add(layers.ReLU())
        body.add(layers.GlobalAveragePooling2D())
    model = keras.Model(body.inputs, layers.Dense(20, activation="softmax")(body.outputs[0]))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        chosen = random.integers(0, len(raw), 32)
        corners = random.integers(0, 224 - 96, (32, 2))
        parts = [raw[i, y : y + 96, x : x + 96] for i, (y, x) in zip(chosen, corners, strict=True)]
        parts = [x[:, ::-1] if random.random() < 0.5 else x for x in parts]
        model.train_on_batch(convention.from_raw(np.stack(parts).astype("float32")), chosen)
    return model
