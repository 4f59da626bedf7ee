"""The data files that all methods share, made once in the cache folder.

model.keras             a small CNN, trained on 20,000 images
images-<corruption>.npy the 50,000 held-out images, float32, with this corruption
features.npz            labels; for each corruption the model's softmax
                        outputs and its penultimate features
"""

import numpy as np
import shifts

FEATURE_LAYER = "features"
NUM_FEATURES = 32


def prepare(cache):
    """Makes the files that are missing; returns the path of the features' file."""
    path = cache / "features.npz"
    if path.exists():
        return path
    import keras

    cache.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    x, y = shifts.images_and_labels()
    model = classifier(keras)
    train = shifts.NUM_TRAIN
    model.fit(x[:train], y[:train], batch_size=128, epochs=8, verbose=0)
    model.save(cache / "model.keras")
    held_out, labels = x[train:], y[train:]
    both = keras.Model(model.inputs, [model.outputs[0], model.get_layer(FEATURE_LAYER).output])
    found = {"softmax": [], "penultimate": []}
    for corruption in shifts.CORRUPTIONS:
        images = shifts.corrupt(held_out, corruption)
        np.save(cache / f"images-{corruption}.npy", images)
        outputs, features = both.predict(images, batch_size=1000, verbose=0)
        found["softmax"].append(outputs)
        found["penultimate"].append(features)
        accuracy = (outputs.argmax(1) == labels).mean()
        print(f"{corruption:12} accuracy of the classifier {accuracy:.3f}", flush=True)
    np.savez(path, labels=labels, **{k: np.stack(v) for k, v in found.items()})
    return path


def classifier(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(NUM_FEATURES, activation="relu", name=FEATURE_LAYER),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def open_images(cache):
    """Returns the held-out images by corruption, memory-mapped."""
    return [np.load(cache / f"images-{name}.npy", mmap_mode="r") for name in shifts.CORRUPTIONS]
