"""MLflow: `autolog` logs `shift` and `val_shift`, and `log_artifact` stores the report."""

from pathlib import Path

import keras
import mlflow
from sklearn.datasets import load_digits

import keras_shiftguard as sg

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8, 1) / 16
layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
scans = 1 - x[1000:], y[1000:]  # black on white, where training has white on black

mlflow.set_tracking_uri("sqlite:///mlflow.db")  # a file; or your server's address
mlflow.keras.autolog(log_models=False)
with mlflow.start_run():
    guard = sg.ShiftGuard(log_dir="logs/mlflow")
    model.fit(x[:1000], y[:1000], validation_data=scans, epochs=3, callbacks=[guard])
    for pattern in ("*.html", "*.json"):
        for file in Path("logs/mlflow").glob(pattern):
            mlflow.log_artifact(str(file), "shift")
