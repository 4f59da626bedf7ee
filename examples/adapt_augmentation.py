"""The repair, switched on: training learns to look like an unlabelled target.

    python examples/adapt_augmentation.py [--epochs 6] [--target dark|blur|noise]

Fashion-MNIST is what the model learns from; the target is the same garments seen
through a worse camera, and nobody labelled them. The same network is trained twice,
plain and with `ShiftGuard(target_data=..., adapt=True)`. Takes about two minutes on
a CPU; ends with a picture (`adapt_augmentation.png`, where Pillow is installed) and
a verdict.
"""

import argparse

import keras
import numpy as np
from fashion import fashion_mnist

import keras_shiftguard as sg


def blur(x, rng):
    for axis in (1, 2):
        x = sum(np.roll(x, k, axis) for k in (-1, 0, 1)) / 3
    return x


def noise(x, rng):
    return (x + rng.normal(0, 0.2, x.shape)).clip(0, 1)


def dark(x, rng):
    return (x * 0.3 + rng.normal(0, 0.02, x.shape)).clip(0, 1)


CAMERAS = {"blur": blur, "noise": noise, "dark": dark}


def network():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def picture(path, rows):
    try:
        from PIL import Image
    except ImportError:
        return
    strip = np.concatenate([np.concatenate(list(row[:12, ..., 0]), axis=1) for row in rows])
    big = np.kron(strip, np.ones((3, 3)))
    Image.fromarray((255 * big.clip(0, 1)).astype("uint8")).save(path)
    print(f"{path}: training as fed, as augmented, and the target, one row each")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--target", choices=CAMERAS, default="dark")
    parser.add_argument("--log-dir")
    arguments = parser.parse_args()
    images, labels = fashion_mnist()
    images = images[:14_000].astype("float32") / 255
    labels = labels[:14_000]
    train, y = images[:8000], labels[:8000]
    rng = np.random.default_rng(0)
    target = CAMERAS[arguments.target](images[8000:], rng).astype("float32")
    unlabelled, test, test_y = target[:4000], target[4000:], labels[12_000:]

    plain = network()
    plain.fit(train, y, epochs=arguments.epochs, batch_size=64, verbose=0)
    guard = sg.ShiftGuard(
        target_data=unlabelled, adapt=True, on_shift="ignore", log_dir=arguments.log_dir
    )
    adapted = network()
    adapted.fit(train, y, epochs=arguments.epochs, batch_size=64, verbose=0, callbacks=[guard])

    layer = sg.AdaptiveAugmentation(
        value_range=(0, 1), pool_size=32, seed=0, data_format="channels_last"
    )
    layer.build(train.shape)
    layer.set_pool(unlabelled[:32])
    layer.set_strengths(guard.augmentation.strengths)
    shown = keras.ops.convert_to_numpy(layer(train[:12], training=True))
    picture("adapt_augmentation.png", [train, shown, target])
    clean = (images[12_000:], test_y)
    for name, data in (("target", (test, test_y)), ("clean test images", clean)):
        before, after = (m.evaluate(*data, verbose=0)[1] for m in (plain, adapted))
        print(f"accuracy on {name}: {before:.3f} plain, {after:.3f} adapted")


if __name__ == "__main__":
    main()
