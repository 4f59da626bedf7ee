"""Trackio: one line logs the curves of `shift` and `val_shift`, beside loss and accuracy."""

import keras
import trackio
from sklearn.datasets import load_digits

import keras_shiftguard as sg

x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8, 1) / 16
layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
scans = 1 - x[1000:], y[1000:]  # black on white, where training has white on black

trackio.init(project="digits", embed=False)  # local; with `space_id`, on a Hugging Face Space
log = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: trackio.log(logs, epoch))
# The guard comes first, because it adds its values to the logs that the next callback reads.
watch = [sg.ShiftGuard(log_dir="logs/trackio"), log]
model.fit(x[:1000], y[:1000], validation_data=scans, epochs=3, callbacks=watch)
trackio.finish()
