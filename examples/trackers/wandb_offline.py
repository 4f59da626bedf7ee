"""Weights & Biases: its callback logs `shift` and `val_shift`, and an artifact holds the report."""

from pathlib import Path

import keras
import wandb
from sklearn.datasets import load_digits
from wandb.integration.keras import WandbMetricsLogger  # imports TensorFlow

import keras_shiftguard as sg

x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8, 1) / 16
layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
scans = 1 - x[1000:], y[1000:]  # black on white, where training has white on black

with wandb.init(project="digits", mode="offline") as run:  # without `mode`: online
    # The guard comes first, because it adds its values to the logs that the next callback reads.
    watch = [sg.ShiftGuard(log_dir="logs/wandb"), WandbMetricsLogger()]
    model.fit(x[:1000], y[:1000], validation_data=scans, epochs=3, callbacks=watch)
    report = wandb.Artifact("shift", type="report")
    for pattern in ("*.html", "*.json"):
        for file in Path("logs/wandb").glob(pattern):
            report.add_file(str(file))
    run.log_artifact(report)
