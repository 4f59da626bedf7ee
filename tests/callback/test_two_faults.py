"""Two faults at once, of the images and of their labels: each is told with its own cost."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_shiftguard as sg


@pytest.mark.backend
def test_exchanged_labels_are_told_beside_images_that_are_upside_down():
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).repeat(2, axis=1).repeat(2, axis=2).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    labels = np.where(y == 0, 7, np.where(y == 7, 0, y))
    validation = x[1100:, ::-1].copy(), labels[1100:]
    guard = sg.ShiftGuard(verbose=0, on_shift="ignore")
    model.fit(
        x[:1100], y[:1100], validation_data=validation, epochs=8, callbacks=[guard], verbose=0
    )
    alarms = {finding.feature: finding for finding in guard.report.findings if finding.matters}
    of_labels = alarms.pop("labels/concept")
    assert "upside down" in str(guard.verdict) and len(alarms) == 1
    assert "label 0 looks like class 7" in str(guard.verdict)
    exchanged = np.isin(labels[1100:], (0, 7)).mean()
    low, high = of_labels.cost_interval
    assert low <= exchanged <= high
