"""What batch norm tells about the input: number of images used, best mode and channel order."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from numpy_reference import summarise

from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence, Scores
from keras_shiftguard.preprocessing.expected.batch_norm_reading import (
    read_batch_norm,
    settle_order,
)
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED, hypotheses_for
from keras_shiftguard.preprocessing.witnesses.levels import level_correction

UNIT, RAW = InputConvention("unit", "unknown"), InputConvention("raw")


def pictures(n, seed=0):
    """Returns images of squares with some noise, in 0..255."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(0, 256, (n, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    return np.clip(coarse + rng.normal(0, 8, coarse.shape), 0, 255).round()


def unit_pictures(n):
    return (pictures(n) / 255).astype("float32")


class Network(keras.Model):
    """A model whose moving statistics are those of images in [0, 1]."""

    def __init__(self, fails=False, trained_on=None):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.conv, self.norm = layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization()
        self.fails = False
        images = pictures(64) / 255 if trained_on is None else trained_on
        self(images[:2])
        features = ops.convert_to_numpy(self.conv(images)).reshape(-1, 8)
        self.norm.moving_mean.assign(features.mean(axis=0))
        self.norm.moving_variance.assign(features.var(axis=0))
        self.fails = fails

    def call(self, x, training=False):
        if self.fails:
            raise ValueError("not today")
        return self.norm(self.conv(x), training=training)


def read(network, images, observed=UNIT, known=None, **more):
    evidence = BatchNormEvidence(network)
    inputs = {"input": images}
    return read_batch_norm(evidence, inputs, "input", observed, summarise(images), known, **more)


def test_a_channel_without_variance_is_left_out():
    """A dead channel, or one whose variance was lost in 8-bit storage, fits no images."""
    network, images = Network(), unit_pictures(32)
    network.norm.moving_variance.assign([0.0, *([1.0] * 7)] * network.norm.moving_variance)
    network.norm.moving_mean.assign(network.norm.moving_mean + np.array([50.0] + [0.0] * 7))
    reading = read(network, images)
    assert reading.choice.mode == "unit" and reading.misfit(reading.best) < 0.2


def test_the_best_mode_and_what_was_ruled_out():
    images = pictures(32, seed=1).astype("float32")
    reading = read(Network(), images, RAW)
    assert (reading.choice.mode, reading.hypotheses[reading.as_fed].mode) == ("unit", "raw")
    # The two best modes and the mode as fed are compared in full. Most others are dropped early.
    followed = {h.mode for h in reading.hypotheses}
    assert len(followed) >= 3 and {"unit", "raw"} < followed
    ruled_out = {h.mode for h, _ in reading.dropped}
    assert "caffe" in ruled_out
    assert followed | ruled_out == {"unit", "tf", "raw", "torch", "caffe", "custom", "standardised"}
    assert all(fit > reading.misfit(reading.best) for _, fit in reading.dropped)
    # The convention that the structure expects is never dropped, even if it fits badly.
    known = read(Network(), images, UNIT, InputConvention("caffe"))
    assert "caffe" in {h.mode for h in known.hypotheses}


def test_why_there_is_no_reading():
    images = unit_pictures(8)
    reason = read(Network(fails=True), images)
    assert reason == "Batch norm could not be compared: ValueError: not today"  # no traceback
    unknown = InputConvention("unknown", "unknown")
    assert "what is fed is unknown" in read(Network(), images, unknown)
    fresh = keras.Sequential([keras.Input((32, 32, 3)), layers.BatchNormalization()])
    assert "untrained" in read(fresh, images)


def index(hypotheses, mode, swap, means=None):
    return next(
        i
        for i, h in enumerate(hypotheses)
        if (h.mode, h.swap, h.means, h.inverted) == (mode, swap, means, False)
    )


@pytest.mark.parametrize(
    ("own", "twin", "usual"),
    [
        (("caffe", False, "bgr"), ("caffe", True, "rgb"), ("caffe", False, "bgr")),
        (("torch", False, "bgr"), ("torch", True, "rgb"), ("torch", True, "rgb")),
    ],
)
def test_batch_norm_cannot_tell_twins_apart(own, twin, usual):
    """Twins differ in the order of both the pixels and the means.

    The one that leaves the images as fed is assumed, else the one with the usual order of means.
    """
    hypotheses = hypotheses_for(UNIT, summarise(unit_pictures(2)), None)
    pair = [index(hypotheses, *each) for each in (own, twin)]
    for best in pair:
        scores = object.__new__(Scores)
        scores.misfit = np.ones(len(hypotheses))
        scores.misfit[pair] = 0.1
        scores.misfit[best] = 0.0
        scores.resampled = np.stack([scores.misfit] * 3)
        for as_fed, wanted in ((pair[1], pair[1]), (0, index(hypotheses, *usual))):
            assert settle_order(hypotheses, scores, None, as_fed) == (wanted, 0.0)
        # If one of them fits clearly better, they are no twins in this network.
        scores.misfit[best] = -1.0
        assert settle_order(hypotheses, scores, None, pair[1]) == (best, 0.0)


ODD = {
    "ordinary": (lambda raw: raw, False),
    "pale": (lambda raw: 160 + raw * 0.3, True),
    "dark": (lambda raw: raw * 0.3, True),
    "tinted": (lambda raw: raw * [0.5, 1.0, 0.8] + 40, True),
    "flat": (lambda raw: 160 + raw * 0.04, False),  # hardly more than noise
}


@pytest.mark.parametrize("what", ODD)
def test_levels_make_odd_images_ordinary(what):
    change, is_corrected = ODD[what]
    network = Network()  # expects [0, 1]
    for convention in (UNIT, InputConvention("tf", "unknown")):
        images = convention.from_raw(change(pictures(32, seed=1)).round())
        levels = level_correction(convention, summarise(images))
        assert (levels is not None) == is_corrected
        if levels is None:
            continue
        as_is = read(network, images, convention)
        found = read(network, images, convention, levels=levels)
        assert found.is_levelled and found.choice.mode == "unit"
        assert found.misfit(found.best) < as_is.misfit(as_is.best)
        others = [i for i, h in enumerate(found.hypotheses) if h.mode != "unit"]
        rival = min(others, key=lambda i: found.misfit(i))
        _, sigmas = found.scores.gap(rival, found.best)
        assert sigmas > 3


@pytest.mark.parametrize("mode", ["raw", "torch"])
def test_a_training_that_standardised_each_image(mode):
    """Whatever is fed, batch norm then fits its raw pixels, standardised one by one."""
    raw = pictures(64) * np.linspace(0.2, 1.0, 64)[:, None, None, None]
    each = (raw - raw.mean(axis=(1, 2, 3), keepdims=True)) / raw.std(axis=(1, 2, 3), keepdims=True)
    fed = InputConvention(mode)
    reading = read(Network(trained_on=each), fed.from_raw(raw[::2]), fed)
    misfits = [reading.misfit(i) for i, kind in enumerate(reading.kinds) if kind == STANDARDISED]
    assert min(misfits) < 0.5 * reading.misfit(reading.best)
