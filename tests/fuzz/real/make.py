"""Writes the real files that the fuzzers start from: a profile, a log, models and images.

python tests/fuzz/real/make.py

Run it with Keras 3.13, the oldest version that is allowed: newer versions read its models, but it
may not read theirs.
"""

import os
import shutil
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from PIL import Image

import keras_shiftguard as sg

HERE = Path(__file__).parent
RNG = np.random.default_rng(0)


def write_profile():
    x = RNG.normal(size=(40, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    whole = sg.profile((x, np.arange(40) % 3), model=model)
    summary = whole.inputs["input"]
    # These numbers would be nine tenths of the file. Zeros compress well.
    embedding = replace(summary.embedding, comoment=0 * summary.embedding.comoment)
    inputs = {"input": replace(summary, embedding=embedding)}
    replace(whole, inputs=inputs).save(HERE / "small.profile")


def write_log():
    x, y = RNG.normal(size=(64, 2)).astype("float32"), np.arange(64) % 3
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guard = sg.ShiftGuard(log_dir=folder, verbose=0, adapt=True)
        model.fit(x, y, validation_data=(x + 2, y), epochs=2, callbacks=[guard], verbose=0)
        sg.explain_gap(model, (x, y), reference=0.9).write(folder)
        files = sorted((Path(folder) / "shiftguard").iterdir())
        with (HERE / "events.out.tfevents.real").open("wb") as joined:
            for file in files:
                with file.open("rb") as one:
                    shutil.copyfileobj(one, joined)


def write_models():
    layers = [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization()]
    pooled = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, *pooled])
    model.save(HERE / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(HERE / "model.h5")


def write_images():
    pixels = np.kron(RNG.integers(0, 256, (4, 4, 3)), np.ones((3, 3, 1))).astype("uint8")
    image = Image.fromarray(pixels)
    for suffix in ("png", "jpg", "gif", "bmp", "tiff", "webp", "ppm"):
        image.save(HERE / f"image.{suffix}")
    clear = image.convert("P")
    clear.info["transparency"] = 1
    clear.save(HERE / "transparent.png")
    image.save(HERE / "moving.gif", save_all=True, append_images=[image.rotate(90)])
    image.save(HERE / "packed.tiff", compression="tiff_lzw")


if __name__ == "__main__":
    write_profile()
    write_log()
    write_models()
    write_images()
