"""Speaker recognition from the spectrum of a second of a voice, behind added noise.

No recording is in an installed package, so voices are drawn: each of eight speakers has a pitch and
three formants; each utterance varies the pitch by 8 % and the vowel, and adds noise. The spectra
are made by a short Fourier transform, as in keras.io's recipe.
"""

import keras
import numpy as np
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Mistake, Tutorial

KIND = "audio"
SPEAKERS, RATE, SECONDS = 8, 4000, 0.5


def voices(count, seed):
    random, build = np.random.default_rng(seed), np.random.default_rng(7)
    pitch, formants = np.linspace(95, 210, SPEAKERS), build.uniform(0.85, 1.15, (SPEAKERS, 3))
    y = random.integers(0, SPEAKERS, count)
    at = np.arange(int(RATE * SECONDS)) / RATE
    vowels = np.asarray([[700, 1200, 1750], [300, 870, 1650], [400, 1600, 1900]])
    waves = np.zeros((count, len(at)), "float32")
    for i, speaker in enumerate(y):
        base = pitch[speaker] * random.normal(1, 0.08)
        centers = vowels[random.integers(3)] * formants[speaker] * random.normal(1, 0.03, 3)
        partials = base * np.arange(1, int(RATE / 2 / base))
        strength = np.exp(-(((partials[:, None] - centers) / 120) ** 2)).sum(axis=1) + 0.02
        phases = random.uniform(0, 6.28, len(partials))
        waves[i] = strength @ np.sin(2 * np.pi * partials[:, None] * at + phases[:, None])
    waves /= np.abs(waves).max(axis=1, keepdims=True)
    return waves + random.normal(0, 0.05, waves.shape).astype("float32"), y.astype("int32")


def spectra(waves):
    """Returns the log magnitudes of windows of 256 samples, `(n, frames, 128)`."""
    windows = np.lib.stride_tricks.sliding_window_view(waves, 256, axis=1)[:, ::128]
    magnitude = np.abs(np.fft.rfft(windows * np.hanning(256), axis=-1))[..., 1:]
    return np.log1p(magnitude).astype("float32")


def build(seed):
    waves, y = voices(2400, seed)
    train, validation = sources.split(waves, y, 1800)
    model = keras.Sequential(
        [
            keras.Input(spectra(waves[:1]).shape[1:]),
            layers.Conv1D(48, 3, activation="relu"),
            layers.Conv1D(48, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(SPEAKERS, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(2e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    def recorded(mistake):  # people make them with the recordings
        def change(x, y):
            waves, y = mistake.change(*validation)
            return spectra(waves), y

        return Mistake(mistake.name, change, mistake.cause, mistake.step)

    planted = (
        mistakes.resampled(2),
        mistakes.gain(0.2),
        mistakes.clipped(-0.2, 0.2),
        mistakes.half_flat(),
        mistakes.labels_exchanged(2, 6),
        mistakes.leaked(*train),
    )
    train, right = ((spectra(x), y) for x, y in (train, validation))
    planted = tuple(recorded(each) for each in planted)
    return Tutorial(model, train, right, {"batch_size": 32, "epochs": 8}, mistakes=planted)
